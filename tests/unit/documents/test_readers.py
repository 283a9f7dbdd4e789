from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twinvec.documents.readers import READERS, read_sections
from twinvec.documents.section import Section
from twinvec.errors import CorpusError, FileError, FormatError

TEXTUAL = set(READERS) - {".csv", ".tsv", ".parquet", ".pdf"}


def read(folder: Path, name: str, data: str | bytes, **options: Any) -> list[Section]:
    file = folder / name
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    sections = list(read_sections(file, name, **options))
    return [Section(list(s.paragraphs), s.headings, s.anchor, s.title, s.page) for s in sections]


@pytest.mark.parametrize("name", [f"empty{suffix}" for suffix in sorted(TEXTUAL)])
def test_an_empty_file_has_no_text(tmp_path: Path, name: str) -> None:
    assert all(not section.paragraphs for section in read(tmp_path, name, "\ufeff"))


def test_text(tmp_path: Path) -> None:
    data = "\ufeffa\r\nb\r\n\r\n \r\n c\u2028d\r\n"
    assert read(tmp_path, "a.txt", data) == [Section(["a\nb", " c\u2028d"])]


def test_a_text_without_blank_lines_is_not_read_whole(tmp_path: Path) -> None:
    lines = [f"{number}: what a log says" for number in range(20_000)]
    (section,) = read(tmp_path, "a.txt", "\n".join(lines))
    assert "\n".join(section.paragraphs) == "\n".join(lines)
    assert max(map(len, section.paragraphs)) < 80_000


def test_records(tmp_path: Path) -> None:
    texts = ["a\n\nb", "c"]
    rows = [{"body": text} for text in texts]
    expected = [Section(["a", "b"]), Section(["c"])]
    data = "\n".join(map(json.dumps, rows))
    assert read(tmp_path, "a.jsonl", data, field="body") == expected
    assert read(tmp_path, "a.csv", 'body,x\n"a\n\nb",1\nc,2\n', field="body") == expected
    assert read(tmp_path, "a.tsv", 'x\tbody\n1\t"a\n\nb"\n2\tc\n', field="body") == expected
    pq.write_table(pa.table({"body": texts}), tmp_path / "t")
    data_ = (tmp_path / "t").read_bytes()
    assert read(tmp_path, "a.parquet", data_, field="body") == expected


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("a.txt", b"a\nb\xff", "a.txt, line 2: not valid UTF-8"),
        ("a.md", b"# a\n\nb\xff", r"^a.md, line 3: not valid UTF-8 \(byte 0xff: .* save it as UTF"),
        ("a.html", b"a\xfe", "^a.html, line 1: not valid UTF-8"),
        ("a.jsonl", b"[]", "a.jsonl, line 1: the line is an array"),
        ("a.csv", b"", "a.csv: the file is empty"),
        ("a.parquet", b"no", "a.parquet: not a Parquet file"),
        ("a.pdf", b"", "^a.pdf: not a PDF that can be read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    with pytest.raises(FileError, match=problem):
        read(tmp_path, name, data)


@pytest.mark.parametrize("suffix", sorted({*TEXTUAL, ".csv", ".tsv"}))
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_text_of_another_encoding_is_refused_whole(
    tmp_path: Path, suffix: str, encoding: str
) -> None:
    data = "\ufeff日本\ntext\n".encode(encoding)
    errors: list[CorpusError] = []
    with pytest.raises(FileError, match=f"^a{suffix}: not UTF-8 but .*; save it as UTF-8$"):
        read(tmp_path, f"a{suffix}", data, on_error=errors.append)
    assert errors == []


def test_bad_lines_are_left_out_where_asked(tmp_path: Path) -> None:
    errors: list[FileError] = []
    sections = read(tmp_path, "a.txt", b"a\n\xff\nb\n", on_error=errors.append)
    assert sections == [Section(["a\nb"])]
    assert [error.line for error in errors] == [2]


def test_an_unknown_suffix_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"^a\.xyz: unknown format; known suffixes are \.txt, "):
        read(tmp_path, "a.xyz", "a")


def test_markdown_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    sections = read(tmp_path, "a.MD", "\ufeff# A\r\nx\r\n")
    assert sections == [Section(["x"], ("A",), "a", "A")]


def test_markdown_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^a.md: quotes and lists nested more than 100 deep"):
        read(tmp_path, "a.md", "> " * 100 + "x")


@pytest.mark.parametrize(
    ("name", "package"),
    [("a.md", "markdown_it"), ("a.html", "selectolax.lexbor"), ("a.pdf", "pypdf")],
)
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    for module in ("markup", "pdf"):
        monkeypatch.delitem(sys.modules, f"twinvec.documents.{module}", raising=False)
    imported = builtins.__import__

    def without(module: str, *rest: Any, **options: Any) -> Any:
        if module == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return imported(module, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(FileError, match=rf"^{name}: .* pip install 'twinvec\[index\]'$"):
        read(tmp_path, name, "a")
