from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twinvec import CorpusError
from twinvec.documents.records import Corpus, Format, format_of


def corpus(folder: Path, data: bytes, format_: Format, field: str = "text") -> Corpus:
    file = folder / "corpus"
    file.write_bytes(data)
    return Corpus(file, format_, field, "corpus")


def parquet(folder: Path, field: str = "text", **columns: pa.Array) -> Corpus:
    """A Parquet file with two rows a row group."""
    file = folder / "corpus.parquet"
    pq.write_table(pa.table(columns), file, row_group_size=2)
    return Corpus(file, "parquet", field, "corpus.parquet")


@pytest.mark.parametrize(
    ("name", "format_"),
    [("a.txt", "lines"), ("a.JSONL", "jsonl"), ("a.ndjson", "jsonl"), ("a.tsv", "tsv")],
)
def test_the_suffix_tells_the_format(name: str, format_: Format) -> None:
    assert format_of(Path(name)) == format_


def test_another_suffix_is_not_guessed() -> None:
    with pytest.raises(CorpusError, match=r"^a\.txt\.gz: the format cannot be told.*--format line"):
        format_of(Path("a.txt.gz"))


@pytest.mark.parametrize(
    ("format_", "data", "texts"),
    [
        ("lines", "", []),
        ("lines", "a\n\nb", ["a", "", "b"]),
        ("lines", "a\r\n b \r\n\r\n", ["a", " b ", ""]),
        ("lines", "\ufeffa\u2028b\fc\x85d\ne\n", ["a\u2028b\fc\x85d", "e"]),
        ("jsonl", "", []),
        ("jsonl", '\ufeff{"text": "a"}\r\n\r\n{"id": 1, "text": ""}\n', ["a", ""]),
        ("jsonl", '{"text": "a\u2028b\\nc"}\n', ["a\u2028b\nc"]),
        ("jsonl", r'{"text": "\ud800 \ud83d\ude00"}', ["\ud800 \U0001f600"]),
        ("csv", "text\n", []),
        ("csv", '\ufeffid,text\r\n1,a\r\n2,"b, ""c""\r\nd"\r\n', ["a", 'b, "c"\r\nd']),
        ("csv", 'text\na\n\n""\nb\u2028c', ["a", "", "b\u2028c"]),
        ("tsv", "text\tid\na,b\t1\n", ["a,b"]),
    ],
)
def test_texts_are_read_as_they_are(
    tmp_path: Path, format_: Format, data: str, texts: list[str]
) -> None:
    assert list(corpus(tmp_path, data.encode(), format_).texts()) == texts


BAD: list[tuple[Format, bytes, str, int]] = [
    ("lines", b"a\n\nb\xff\nc", "not valid UTF-8 (byte 0xff: invalid start byte)", 3),
    ("jsonl", b"\n{\n", "not valid JSON (Expecting property name enclosed in double quotes", 2),
    ("jsonl", b'["a"]', "the line is an array, not an object", 1),
    ("jsonl", b'{"id": 1, "body": 2}', 'no field "text"; it has id, body. Choose one with --f', 1),
    ("jsonl", b"{}", 'no field "text"; it has none', 1),
    ("jsonl", b'{"text": 1.5}', 'field "text" is a number, not a string', 1),
    ("jsonl", b'{"text": true}', 'field "text" is a boolean, not a string', 1),
    ("jsonl", b'{"text": null}', 'field "text" is null, not a string', 1),
    ("jsonl", b'{"text": {}}', 'field "text" is an object, not a string', 1),
    ("jsonl", b'{"text": "\xed\xa0\x80"}', "not valid UTF-8 (byte 0xed: invalid continuation", 1),
    ("csv", b'id,text\n1,"a\nb"\n2\n', '1 fields where the header has 2, so field "text" can', 4),
    ("csv", b"id,text\n1,a, b\n", "3 fields where the header has 2", 2),
    ("csv", b'text\n\n"a" b\n', "its quotes are not closed, or not doubled inside a quoted", 3),
    ("csv", b'text\n"a\n', "its quotes are not closed", 2),
    ("csv", b"id,text\n\xe2,\x82\xac\n", "not valid UTF-8 (byte 0xe2: invalid continuation", 2),
    ("tsv", b"id\ttext\n1\t\xe9\n", "not valid UTF-8 (byte 0xe9: unexpected end of data)", 2),
]


@pytest.mark.parametrize(("format_", "data", "problem", "line"), BAD)
def test_a_bad_record_is_named_or_left_out(
    tmp_path: Path, format_: Format, data: bytes, problem: str, line: int
) -> None:
    bad = corpus(tmp_path, data, format_)
    with pytest.raises(CorpusError) as caught:
        list(bad.texts())
    assert str(caught.value).startswith(f"corpus, line {line}: {problem}")
    assert str(caught.value).endswith("leave such records out: --on-error skip")
    skipped: list[int] = []
    list(bad.texts(skipped))
    assert skipped == [line]


def test_json_beyond_what_python_reads(tmp_path: Path) -> None:
    lines = [b"[" * 200_000, b'{"text": ' + b"1" * 5000 + b"}", b'{"text": "a"}']
    bad = corpus(tmp_path, b"\n".join(lines), "jsonl")
    with pytest.raises(CorpusError, match=r"^corpus, line 1: not JSON that can be read \("):
        list(bad.texts())
    skipped: list[int] = []
    assert list(bad.texts(skipped)) == ["a"]
    assert skipped == [1, 2]


def test_long_fields_of_a_csv(tmp_path: Path) -> None:
    long = b"a" * 200_000
    assert list(corpus(tmp_path, b"text\n" + long, "csv").texts()) == [long.decode()]
    endless = corpus(tmp_path, b'text\n"' + b"a\n" * 2**23 + b'b"\n', "csv")
    with pytest.raises(CorpusError, match=r"line 2: its quotes are not closed.*field larger than"):
        list(endless.texts())


@pytest.mark.parametrize(
    ("format_", "data", "texts", "lines"),
    [
        ("lines", b"a\n\xff\nb\n\xfe", ["a", "b"], [2, 4]),
        ("jsonl", b'{"text": "a"}\nx\n\n{}\n{"text": "b"}', ["a", "b"], [2, 4]),
        ("csv", b'id,text\n1\n2,"a\nb"\n3,"c"d\n4,e\n', ["a\nb", "e"], [2, 5]),
        ("csv", b'text\na\n"b\nc\n"d" e\nf\n"g\nh\n', ["a", "f"], [3, 4, 5, 7, 8]),
    ],
)
def test_what_is_left_keeps_its_order(
    tmp_path: Path, format_: Format, data: bytes, texts: list[str], lines: list[int]
) -> None:
    skipped: list[int] = []
    assert list(corpus(tmp_path, data, format_).texts(skipped)) == texts
    assert skipped == lines


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "corpus is empty; its first line must name the fields"),
        (b"\nid,body\n1,a\n", r'corpus, line 2: no field "text"; it has id, body\. Choose one'),
        (b'"id\n', "corpus, line 1: its quotes are not closed"),
        (b"text,\xff\n", "corpus, line 1: not valid UTF-8"),
    ],
)
def test_a_csv_without_a_usable_header_is_never_skipped(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(CorpusError, match=f"^{message}"):
        list(corpus(tmp_path, data, "csv").texts([]))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), "string")]
)
def test_parquet_over_several_row_groups(tmp_path: Path, kind: pa.DataType) -> None:
    texts = ["a", "", "c\nd", "\u2028", "a"]
    made = parquet(tmp_path, id=pa.array(range(5)), text=pa.array(texts).cast(kind))
    assert pq.ParquetFile(made.file).num_row_groups == 3
    assert list(made.texts()) == texts


def test_bad_rows_of_parquet(tmp_path: Path) -> None:
    values = pa.array([b"a", b"b", None, b"\xff", b"c"], pa.binary()).view(pa.string())
    bad = parquet(tmp_path, text=values)
    with pytest.raises(
        CorpusError, match=r'^corpus\.parquet, row 3: field "text" is null, not a s'
    ):
        list(bad.texts())
    skipped: list[int] = []
    assert list(bad.texts(skipped)) == ["a", "b", "c"]
    assert skipped == [3, 4]


def test_parquet_without_a_usable_column(tmp_path: Path) -> None:
    made = parquet(tmp_path, "body", id=pa.array([1]), text=pa.array(["a"]))
    with pytest.raises(CorpusError, match=r'^corpus\.parquet: no field "body"; it has id, text\. '):
        list(made.texts([]))
    made = parquet(tmp_path, "id", id=pa.array([1]))
    with pytest.raises(CorpusError, match='field "id" is of type int64, not string; choose anoth'):
        list(made.texts([]))


def test_what_is_no_parquet_says_so(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="corpus: not a Parquet file that can be read"):
        list(corpus(tmp_path, b"PAR1" + bytes(100), "parquet").texts([]))


def test_parquet_without_pyarrow_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CorpusError, match=r"needs pyarrow: pip install 'twinvec\[parquet\]'"):
        list(corpus(tmp_path, b"", "parquet").texts())


def test_reading_is_a_stream(tmp_path: Path) -> None:
    """A text is given before the line after it is looked at."""
    lines = [json.dumps({"text": str(number)}) for number in range(10_000)]
    texts = corpus(tmp_path, "\n".join([*lines, "bad"]).encode(), "jsonl").texts()
    assert [next(texts) for _ in range(3)] == ["0", "1", "2"]
