from __future__ import annotations

from pathlib import Path

import pytest

from twinvec.documents.on_error import raise_error
from twinvec.documents.records.jsonl import read_jsonl
from twinvec.errors import FileError, RecordError, RecordFieldError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "corpus"


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ("", []),
        ('\ufeff{"text": "a"}\r\n\r\n{"id": 1, "text": ""}\n', ["a", ""]),
        ('{"text": "a\u2028b\\nc"}\n', ["a\u2028b\nc"]),
        (r'{"text": "\ud800 \ud83d\ude00"}', ["\ud800 \U0001f600"]),
    ],
)
def test_texts_are_read_unchanged(file: Path, data: str, texts: list[str]) -> None:
    file.write_bytes(data.encode())
    assert list(read_jsonl(file, "corpus", "text", raise_error)) == texts


@pytest.mark.parametrize(
    ("data", "problem", "line"),
    [
        (b"\n{\n", "not valid JSON (Expecting property name enclosed in double quotes", 2),
        (b'["a"]', "the line is an array, not an object", 1),
        (b'{"id": 1, "body": 2}', 'no field "text"; it has id, body', 1),
        (b"{}", 'no field "text"; it has none', 1),
        (b'{"text": 1.5}', 'field "text" is a number, not a string', 1),
        (b'{"text": true}', 'field "text" is a boolean, not a string', 1),
        (b'{"text": null}', 'field "text" is null, not a string', 1),
        (b'{"text": {}}', 'field "text" is an object, not a string', 1),
        (b'{"text": "\xed\xa0\x80"}', "not valid UTF-8 (byte 0xed: invalid continuation", 1),
        (b"[" * 200_000, "this JSON cannot be read (", 1),
        (b'{"text": ' + b"1" * 5000 + b"}", "this JSON cannot be read (", 1),
    ],
)
def test_a_bad_record_is_named_or_left_out(
    file: Path, data: bytes, problem: str, line: int
) -> None:
    file.write_bytes(data)
    with pytest.raises(RecordError) as caught:
        list(read_jsonl(file, "corpus", "text", raise_error))
    assert str(caught.value).startswith(f"corpus, line {line}: {problem}")
    assert isinstance(caught.value, RecordFieldError) == problem.startswith("no field")
    file.write_bytes(data.rstrip() + b'\n{"text": "a"}')
    errors: list[FileError] = []
    assert list(read_jsonl(file, "corpus", "text", errors.append)) == ["a"]
    assert [error.line for error in errors] == [line]


def test_remaining_records_keep_their_order(file: Path) -> None:
    file.write_bytes(b'{"text": "a"}\nx\n\n{}\n{"text": "b"}')
    errors: list[FileError] = []
    assert list(read_jsonl(file, "corpus", "text", errors.append)) == ["a", "b"]
    assert [error.line for error in errors] == [2, 4]
