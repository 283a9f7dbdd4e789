"""The table of record formats, and the function that reads any of them.

Files are read as streams, so memory does not grow with their size. Text formats are UTF-8. A line
ends with LF, CR LF or CR only: U+2028 or a form feed stays inside its text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from twinvec.documents.on_error import OnError, raise_error
from twinvec.documents.records.delimited import read_delimited
from twinvec.documents.records.jsonl import read_jsonl
from twinvec.documents.records.lines import read_lines
from twinvec.documents.records.parquet import read_parquet
from twinvec.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Format:
    """A record format.

    Example:
        >>> FORMATS["jsonl"].suffixes
        ('.jsonl', '.ndjson')
    """

    suffixes: tuple[str, ...]
    """Suffixes of file names, in lower case."""
    read: Callable[[Path, str, str, OnError], Iterator[str]]
    """Yields texts; takes the file, its name in messages, the text field and `on_error`."""


FORMATS: Mapping[str, Format] = {
    "lines": Format((".txt",), read_lines),
    "jsonl": Format((".jsonl", ".ndjson"), read_jsonl),
    "csv": Format((".csv",), partial(read_delimited, ",")),
    "tsv": Format((".tsv",), partial(read_delimited, "\t")),
    "parquet": Format((".parquet",), read_parquet),
}


def format_of(file: Path) -> str:
    """Return the format, a key of `FORMATS`, that a file's suffix names.

    Raises:
        FormatError: no format has this suffix.
    """
    formats = {suffix: name for name, format_ in FORMATS.items() for suffix in format_.suffixes}
    try:
        return formats[file.suffix.lower()]
    except KeyError:
        raise FormatError(str(file), formats) from None


def read_texts(
    file: Path, format_: str, *, name: str, field: str = "text", on_error: OnError = raise_error
) -> Iterator[str]:
    """Yield the texts of a file in order.

    Args:
        file: path of the file.
        format_: a key of `FORMATS`. In "lines" every line is a text, also an empty one.
        name: the file's name in messages.
        field: the field of a record that holds the text; ignored for "lines".
        on_error: receives a `RecordError` for each record without a text.

    Raises:
        ValueError: the format is unknown.
        FileError: the whole file is unusable, for example a header without the field.
        OSError: the file cannot be read.
    """
    if format_ not in FORMATS:
        raise ValueError(f"unknown format {format_!r}; expected one of {', '.join(FORMATS)}")
    return FORMATS[format_].read(file, name, field, on_error)
