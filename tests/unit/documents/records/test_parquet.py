from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twinvec.documents.on_error import OnError, raise_error
from twinvec.documents.records.parquet import read_parquet
from twinvec.errors import FieldError, FileError, RecordError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "corpus.parquet"


def write(file: Path, **columns: pa.Array) -> None:
    """Write a Parquet file with two rows in each row group."""
    pq.write_table(pa.table(columns), file, row_group_size=2)


def read(file: Path, field: str = "text", on_error: OnError = raise_error) -> list[str]:
    return list(read_parquet(file, file.name, field, on_error))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), "string")]
)
def test_several_row_groups_are_read_in_order(file: Path, kind: pa.DataType) -> None:
    texts = ["a", "", "c\nd", "\u2028", "a"]
    write(file, id=pa.array(range(5)), text=pa.array(texts).cast(kind))
    assert pq.ParquetFile(file).num_row_groups == 3
    assert read(file) == texts


def test_bad_rows_are_named_or_left_out(file: Path) -> None:
    write(file, text=pa.array([b"a", b"b", None, b"\xff", b"c"], pa.binary()).view(pa.string()))
    with pytest.raises(
        RecordError, match=r'^corpus\.parquet, row 3: field "text" is null, not a s'
    ):
        read(file)
    errors: list[FileError] = []
    assert read(file, on_error=errors.append) == ["a", "b", "c"]
    assert [(error.unit, error.line) for error in errors] == [("row", 3), ("row", 4)]


def test_an_unusable_column_is_never_skipped(file: Path) -> None:
    errors: list[FileError] = []
    write(file, id=pa.array([1]), text=pa.array(["a"]))
    with pytest.raises(FieldError, match=r'^corpus\.parquet: no field "body"; it has id, text$'):
        read(file, "body", errors.append)
    with pytest.raises(FieldError, match='field "id" is of type int64, not string'):
        read(file, "id", errors.append)
    assert errors == []


def test_another_file_is_refused(file: Path) -> None:
    file.write_bytes(b"PAR1" + bytes(100))
    errors: list[FileError] = []
    with pytest.raises(FileError, match=r"corpus\.parquet: not a Parquet file that can be read"):
        read(file, on_error=errors.append)
    assert errors == []


def test_a_missing_package_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(FileError, match=r"needs pyarrow: pip install 'twinvec\[parquet\]'"):
        read(file)


def test_a_small_file_of_endless_text_is_refused(file: Path) -> None:
    once = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), ["a" * 1_000_000])
    pq.write_table(pa.table({"text": once}), file, compression="zstd")
    assert file.stat().st_size < 10_000
    lengths: list[int] = []
    with pytest.raises(FileError, match=r"^corpus\.parquet: its texts unpack to more than"):
        lengths.extend(map(len, read_parquet(file, file.name, "text", raise_error)))
    assert 0 < sum(lengths) < 100_000_000


def test_a_text_that_would_fill_the_memory_is_refused(file: Path) -> None:
    pq.write_table(pa.table({"text": ["a" * 80_000_000]}), file, compression="zstd")
    with pytest.raises(FileError, match="its texts unpack to more than"):
        read(file)
