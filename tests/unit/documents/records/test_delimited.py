from __future__ import annotations

from pathlib import Path

import pytest

from twinvec.documents.on_error import OnError, raise_error
from twinvec.documents.records.delimited import read_delimited
from twinvec.errors import FieldError, FileError, RecordError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "corpus"


def read(file: Path, data: bytes, on_error: OnError = raise_error, sign: str = ",") -> list[str]:
    file.write_bytes(data)
    return list(read_delimited(sign, file, "corpus", "text", on_error))


@pytest.mark.parametrize(
    ("sign", "data", "texts"),
    [
        (",", "text\n", []),
        (",", '\ufeffid,text\r\n1,a\r\n2,"b, ""c""\r\nd"\r\n', ["a", 'b, "c"\r\nd']),
        (",", 'text\na\n\n""\nb\u2028c', ["a", "", "b\u2028c"]),
        ("\t", "text\tid\na,b\t1\n", ["a,b"]),
    ],
)
def test_texts_are_read_unchanged(file: Path, sign: str, data: str, texts: list[str]) -> None:
    assert read(file, data.encode(), sign=sign) == texts


@pytest.mark.parametrize(
    ("sign", "data", "problem", "line"),
    [
        (",", b'id,text\n1,"a\nb"\n2\n', '1 fields where the header has 2, so field "text" can', 4),
        (",", b"id,text\n1,a, b\n", "3 fields where the header has 2", 2),
        (",", b'text\n\n"a" b\n', "its quotes are not closed, or not doubled inside a quoted", 3),
        (",", b'text\n"a\n', "its quotes are not closed", 2),
        (",", b"id,text\n\xe2,\x82\xac\n", "not valid UTF-8 (byte 0xe2: invalid continuation", 2),
        ("\t", b"id\ttext\n1\t\xe9\n", "not valid UTF-8 (byte 0xe9: unexpected end of data)", 2),
    ],
)
def test_a_bad_record_is_named_or_left_out(
    file: Path, sign: str, data: bytes, problem: str, line: int
) -> None:
    with pytest.raises(RecordError) as caught:
        read(file, data, sign=sign)
    assert str(caught.value).startswith(f"corpus, line {line}: {problem}")
    errors: list[FileError] = []
    read(file, data, errors.append, sign)
    assert [error.line for error in errors] == [line]


@pytest.mark.parametrize(
    ("data", "texts", "lines"),
    [
        (b'id,text\n1\n2,"a\nb"\n3,"c"d\n4,e\n', ["a\nb", "e"], [2, 5]),
        (b'text\na\n"b\nc\n"d" e\nf\n"g\nh\n', ["a", "f"], [3, 4, 5, 7, 8]),
    ],
)
def test_remaining_records_keep_their_order(
    file: Path, data: bytes, texts: list[str], lines: list[int]
) -> None:
    errors: list[FileError] = []
    assert read(file, data, errors.append) == texts
    assert [error.line for error in errors] == lines


def test_long_fields(file: Path) -> None:
    long = b"a" * 200_000
    assert read(file, b"text\n" + long) == [long.decode()]
    with pytest.raises(RecordError, match=r"line 2: its quotes are not closed.*field larger than"):
        read(file, b'text\n"' + b"a\n" * 2**23 + b'b"\n')


@pytest.mark.parametrize(
    ("data", "error_type", "message"),
    [
        (b"", FileError, "corpus: the file is empty; its first line must name the fields"),
        (b"\nid,body\n1,a\n", FieldError, 'corpus, line 2: no field "text"; it has id, body$'),
        (b'"id\n', FileError, "corpus, line 1: its quotes are not closed"),
        (b"text,\xff\n", FileError, "corpus, line 1: not valid UTF-8"),
    ],
)
def test_an_unusable_header_is_never_skipped(
    file: Path, data: bytes, error_type: type[FileError], message: str
) -> None:
    errors: list[FileError] = []
    with pytest.raises(error_type, match=f"^{message}"):
        read(file, data, errors.append)
    assert errors == []
