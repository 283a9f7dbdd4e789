"""Plain text: every line is a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinvec.documents.utf8 import open_text, utf8_problem
from twinvec.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from twinvec.documents.on_error import OnError


def read_lines(file: Path, name: str, _field: str, on_error: OnError) -> Iterator[str]:
    """Yield the lines of a text file; see `read_texts`."""
    with open_text(file, name) as stream:
        for number, line in enumerate(stream, 1):
            problem = utf8_problem(line)
            if problem:
                on_error(RecordError(name, problem, number))
            else:
                yield line.removesuffix("\n")
