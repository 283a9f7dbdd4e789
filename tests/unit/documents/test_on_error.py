from __future__ import annotations

import pytest

from twinvec.documents.on_error import raise_error
from twinvec.errors import FileError


def test_the_default_raises_the_error_itself() -> None:
    error = FileError("a.txt", "bad")
    with pytest.raises(FileError) as caught:
        raise_error(error)
    assert caught.value is error
