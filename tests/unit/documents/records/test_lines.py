from __future__ import annotations

from pathlib import Path

import pytest

from twinvec.documents.on_error import raise_error
from twinvec.documents.records.lines import read_lines
from twinvec.errors import FileError, RecordError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "corpus"


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ("", []),
        ("a\n\nb", ["a", "", "b"]),
        ("a\r\n b \r\n\r\n", ["a", " b ", ""]),
        ("\ufeffa\u2028b\fc\x85d\ne\n", ["a\u2028b\fc\x85d", "e"]),
    ],
)
def test_lines_are_read_unchanged(file: Path, data: str, texts: list[str]) -> None:
    file.write_bytes(data.encode())
    assert list(read_lines(file, "corpus", "", raise_error)) == texts


def test_bad_lines_are_named_or_left_out(file: Path) -> None:
    file.write_bytes(b"a\n\xff\nb\n\xfe")
    with pytest.raises(RecordError) as caught:
        list(read_lines(file, "corpus", "", raise_error))
    assert str(caught.value) == "corpus, line 2: not valid UTF-8 (byte 0xff: invalid start byte)"
    errors: list[FileError] = []
    assert list(read_lines(file, "corpus", "", errors.append)) == ["a", "b"]
    assert [(error.unit, error.line) for error in errors] == [("line", 2), ("line", 4)]
