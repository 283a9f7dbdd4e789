"""Parquet: one column holds the texts."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from twinvec.documents.records.fields import missing_field
from twinvec.documents.utf8 import decode_problem
from twinvec.errors import FieldError, FileError, RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from twinvec.documents.on_error import OnError

_MAX_BATCH_ROWS = 1024
_MIN_BATCH_ROWS = 16
_MAX_BATCH_BYTES = 1 << 30  # a text that is stored once is in memory once for each row of a batch
# Equal texts are stored once, so a small file can hold endless text, or more than fits in memory.
_MAX_TEXT_BYTES = 1 << 26
_MAX_TEXT_PER_FILE_BYTE = 1000  # compressed prose has 3 to 5


def read_parquet(file: Path, name: str, field: str, on_error: OnError) -> Iterator[str]:
    """Yield the texts of a Parquet file; see `read_texts`."""
    pa, pq = _pyarrow(name)
    number = text_size = 0
    limit = _MAX_TEXT_BYTES + _MAX_TEXT_PER_FILE_BYTE * file.stat().st_size
    try:
        with pq.ParquetFile(file) as parquet:
            _check_column(pa.types, parquet.schema_arrow, name, field)
            unpacked_size = _unpacked_size(parquet.metadata, field)
            _check_size(unpacked_size, limit, name)
            rows = _MAX_BATCH_BYTES // max(unpacked_size, 1)
            rows = max(_MIN_BATCH_ROWS, min(rows, _MAX_BATCH_ROWS))
            batches = parquet.iter_batches(batch_size=rows, columns=[field])
            scalars = chain.from_iterable(batch.column(0) for batch in batches)
            for number, scalar in enumerate(scalars, 1):
                try:
                    text = _text_of(scalar, name, number, field)
                except RecordError as err:
                    on_error(err)
                else:
                    text_size += len(text)
                    _check_size(text_size, limit, name)
                    yield text
    except (pa.ArrowException, OSError) as err:
        reason = " ".join(str(err).split())
        raise FileError(
            name, f"not a Parquet file that can be read, after row {number}: {reason}"
        ) from err


def _pyarrow(name: str) -> tuple[Any, ModuleType]:
    try:
        import pyarrow as pa  # an optional dependency
        import pyarrow.parquet as pq
    except ImportError as err:
        problem = "reading Parquet needs pyarrow: pip install 'twinvec[parquet]'"
        raise FileError(name, problem) from err
    return pa, pq


def _check_column(types: ModuleType, schema: Any, name: str, field: str) -> None:
    if field not in schema.names:
        raise FieldError(name, missing_field(field, schema.names))
    column_type = schema.field(field).type
    value_type = column_type.value_type if types.is_dictionary(column_type) else column_type
    if not (
        types.is_string(value_type)
        or types.is_large_string(value_type)
        or types.is_string_view(value_type)
    ):
        raise FieldError(name, f'field "{field}" is of type {column_type}, not string')


def _unpacked_size(metadata: Any, field: str) -> int:
    """Return the bytes of a column as the file's metadata state them."""
    row_groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    columns = (group.column(i) for group in row_groups for i in range(group.num_columns))
    return sum(
        column.total_uncompressed_size for column in columns if column.path_in_schema == field
    )


def _check_size(size: int, limit: int, name: str) -> None:
    if size > limit:
        problem = (
            f"its texts unpack to more than {limit:,} bytes, {_MAX_TEXT_PER_FILE_BYTE:,} times the "
            "file's size; split the file, or leave it out"
        )
        raise FileError(name, problem)


def _text_of(scalar: Any, name: str, number: int, field: str) -> str:
    """Return the text of one row.

    Raises:
        RecordError: the value is null or not valid UTF-8.
    """
    try:
        text: str | None = scalar.as_py()
    except UnicodeDecodeError as err:
        problem = f'field "{field}" is {decode_problem(err)}'
        raise RecordError(name, problem, number, "row") from err
    if text is None:
        problem = f'field "{field}" is null, not a string'
        raise RecordError(name, problem, number, "row")
    return text
