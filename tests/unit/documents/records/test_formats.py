from __future__ import annotations

import json
from pathlib import Path

import pytest

from twinvec.documents.records.formats import FORMATS, format_of, read_texts
from twinvec.errors import FormatError, RecordError


@pytest.mark.parametrize(
    ("name", "format_"),
    [("a.txt", "lines"), ("a.JSONL", "jsonl"), ("a.ndjson", "jsonl"), ("a.tsv", "tsv")],
)
def test_the_suffix_names_the_format(name: str, format_: str) -> None:
    assert format_of(Path(name)) == format_


def test_another_suffix_is_not_guessed() -> None:
    with pytest.raises(FormatError, match=r"^a\.txt\.gz: unknown format") as caught:
        format_of(Path("a.txt.gz"))
    suffixes = [suffix for format_ in FORMATS.values() for suffix in format_.suffixes]
    assert list(caught.value.suffixes) == suffixes


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown format 'xml'; expected one of lines, jsonl, csv"):
        read_texts(tmp_path / "a.xml", "xml", name="a.xml")


def test_every_format_is_read(tmp_path: Path) -> None:
    contents = {
        "lines": "a\n",
        "jsonl": '{"body": "a"}\n',
        "csv": "body,id\na,1\n",
        "tsv": "body\tid\na\t1\n",
    }
    assert set(contents) == set(FORMATS) - {"parquet"}
    for format_, content in contents.items():
        (tmp_path / "file").write_text(content, encoding="utf-8")
        assert list(read_texts(tmp_path / "file", format_, name="file", field="body")) == ["a"]


def test_the_first_bad_record_stops_reading_by_default(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\n\xff\nb\n\xff\n")
    with pytest.raises(RecordError, match=r"^file, line 2: not valid UTF-8"):
        list(read_texts(tmp_path / "file", "lines", name="file"))


def test_reading_is_a_stream(tmp_path: Path) -> None:
    """A text is yielded before the line after it is read."""
    lines = [json.dumps({"text": str(number)}) for number in range(10_000)]
    (tmp_path / "file").write_text("\n".join([*lines, "bad"]), encoding="utf-8")
    texts = read_texts(tmp_path / "file", "jsonl", name="file")
    assert [next(texts) for _ in range(3)] == ["0", "1", "2"]
