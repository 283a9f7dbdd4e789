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

_BATCH_ROWS = 1024


def read_parquet(file: Path, name: str, field: str, on_error: OnError) -> Iterator[str]:
    """Yield the texts of a Parquet file; see `read_texts`."""
    pa, pq = _pyarrow(name)
    number = 0
    try:
        with pq.ParquetFile(file) as parquet:
            _check_column(pa.types, parquet.schema_arrow, name, field)
            batches = parquet.iter_batches(batch_size=_BATCH_ROWS, columns=[field])
            scalars = chain.from_iterable(batch.column(0) for batch in batches)
            for number, scalar in enumerate(scalars, 1):
                try:
                    text = _text_of(scalar, name, number, field)
                except RecordError as err:
                    on_error(err)
                else:
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
