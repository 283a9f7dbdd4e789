from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twinvec import Embedder
from twinvec.documents.chunker import Chunker
from twinvec.documents.corpus import read_passages
from twinvec.documents.find import Source
from twinvec.errors import FieldError, FileError, RecordError


@pytest.fixture
def chunker(embedder: Embedder) -> Chunker:
    return Chunker(embedder, 30, overlap=0)


def sources_in(folder: Path) -> list[Source]:
    return [Source(file, file.name) for file in sorted(folder.iterdir())]


def test_files_are_read_in_their_order(tmp_path: Path, chunker: Chunker) -> None:
    (tmp_path / "b c.md").write_text("# B\nb")
    (tmp_path / "a.jsonl").write_text('{"body": "one"}\n{"body": "two"}\n')
    passages = list(read_passages(sources_in(tmp_path), chunker, field="body", url_prefix="/docs/"))
    assert [passage.id for passage in passages] == ["a.jsonl#1", "a.jsonl#2", "b c.md#b"]
    urls = [passage.metadata["url"] for passage in passages[1:]]
    assert urls == ["/docs/a.jsonl", "/docs/b%20c.md#b"]


def test_problems_stop_or_are_collected(tmp_path: Path, chunker: Chunker) -> None:
    (tmp_path / "a.html").write_bytes(b"\xff")
    (tmp_path / "b.jsonl").write_text("[]\n" * 7 + '{"text": "fine"}\n')
    (tmp_path / "c.pdf").write_bytes(b"no")
    sources = sources_in(tmp_path)
    with pytest.raises(FileError, match=r"^a.html, line 1: not valid UTF-8"):
        list(read_passages(sources, chunker))
    errors: list[FileError] = []
    (passage,) = read_passages(sources, chunker, on_error=errors.append)
    assert passage.text == "fine"
    assert [error.name for error in errors] == ["a.html", *["b.jsonl"] * 7, "c.pdf"]
    records = [error for error in errors if isinstance(error, RecordError)]
    assert [error.line for error in records] == [1, 2, 3, 4, 5, 6, 7]


def test_a_file_that_cannot_be_opened_is_an_error_with_its_name(
    tmp_path: Path, chunker: Chunker
) -> None:
    missing = Source(tmp_path / "a.md", "a.md")
    with pytest.raises(FileError, match=r"^a\.md: cannot be read \(No such file"):
        list(read_passages([missing], chunker))
    errors: list[FileError] = []
    assert list(read_passages([missing], chunker, on_error=errors.append)) == []
    assert [error.name for error in errors] == ["a.md"]


def test_a_header_without_the_field_leaves_the_file_out(tmp_path: Path, chunker: Chunker) -> None:
    (tmp_path / "a.csv").write_text("body\na\n")
    errors: list[FileError] = []
    assert list(read_passages(sources_in(tmp_path), chunker, on_error=errors.append)) == []
    assert [type(error) for error in errors] == [FieldError]


def test_passages_before_the_damage_of_a_file_are_kept(tmp_path: Path, chunker: Chunker) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"row {i}" for i in range(3000)]}), file, row_group_size=1000)
    place = pq.ParquetFile(file).metadata.row_group(2).column(0).dictionary_page_offset
    data = bytearray(file.read_bytes())
    data[place : place + 64] = b"\xff" * 64
    file.write_bytes(data)
    sources = sources_in(tmp_path)
    with pytest.raises(FileError, match=r"after row 1024: .*"):
        list(read_passages(sources, chunker))
    errors: list[FileError] = []
    passages = list(read_passages(sources, chunker, on_error=errors.append))
    assert [len(passages), passages[-1].text] == [1024, "row 1023"]
    (error,) = errors
    assert str(error).startswith("a.parquet: not a Parquet file that can be read")


def test_names_need_not_be_text(tmp_path: Path, chunker: Chunker) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    try:
        (tmp_path / name).write_text("a")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    (found,) = read_passages(sources_in(tmp_path), chunker, url_prefix="/docs/")
    assert found.metadata["url"] == "/docs/caf%E9.txt"
