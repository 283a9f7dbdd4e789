"""The callback for files and records that cannot be read, as in `os.walk(onerror=...)`.

Every reader takes `on_error`. It receives the error of each bad record or file. When it returns,
the reader leaves that record or file out and continues. The default raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeAlias

from twinvec.errors import FileError

OnError: TypeAlias = Callable[[FileError], object]


def raise_error(error: FileError) -> NoReturn:
    """Stop at the first error."""
    raise error
