from __future__ import annotations

from pathlib import Path

import pytest

from twinvec.documents.utf8 import open_text, read_text, utf8_problem
from twinvec.errors import FileError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.txt"


def test_a_byte_order_mark_is_left_out(file: Path) -> None:
    file.write_bytes("\ufeffa\r\nb".encode())
    assert read_text(file, "a.txt") == "a\r\nb"
    with open_text(file, "a.txt") as stream:
        assert stream.read() == "a\nb"
    with open_text(file, "a.txt", newline="") as stream:
        assert stream.read() == "a\r\nb"


def test_invalid_bytes_are_found_line_by_line(file: Path) -> None:
    file.write_bytes(b"a\n\xff\nb")
    with open_text(file, "a.txt") as stream:
        problems = [utf8_problem(line) for line in stream]
    assert problems == ["", "not valid UTF-8 (byte 0xff: invalid start byte)", ""]
    with pytest.raises(FileError, match=r"^a\.txt, line 2: not valid UTF-8 .*; save it as UTF-8$"):
        read_text(file, "a.txt")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_other_encodings_are_refused(file: Path, encoding: str) -> None:
    file.write_text("text\n", encoding=encoding)
    with pytest.raises(FileError, match=r"^a\.txt: not UTF-8 but UTF-16"):
        read_text(file, "a.txt")
    with pytest.raises(FileError, match=r"^a\.txt: not UTF-8 but UTF-16"), open_text(file, "a.txt"):
        pass
