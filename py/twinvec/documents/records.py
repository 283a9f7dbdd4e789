"""Texts in a file, read as a stream: memory does not grow with the file.

Text formats are UTF-8, with or without a byte order mark. A line ends with LF, CR LF or CR and
nowhere else: U+2028 or a form feed stays inside its text.
"""

from __future__ import annotations

import csv
import io
import json
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from twinvec.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import ModuleType
    from typing import TextIO

__all__ = ["FORMATS", "Corpus", "Format", "check_start", "format_of"]

Format = Literal["lines", "jsonl", "csv", "tsv", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

_SUFFIXES: dict[str, Format] = {
    ".txt": "lines",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}
# In characters; a quote that is never closed would otherwise read all that follows into memory.
_LONGEST_FIELD = 2**24


@dataclass(frozen=True)
class _Bad:
    """A record that gives no text, and why."""

    line: int
    problem: str


_Records: TypeAlias = "Iterator[str | _Bad]"


def format_of(file: Path) -> Format:
    """Tell a file's format by its suffix.

    Raises:
        CorpusError: no format has this suffix.
    """
    known = _SUFFIXES.get(file.suffix.lower())
    if known is None:
        raise CorpusError(
            f"{file}: the format cannot be told from the name, known are {', '.join(_SUFFIXES)}; "
            f"name it: --format {'|'.join(FORMATS)}"
        )
    return known


def check_start(data: bytes, name: str) -> None:
    """Refuse a text file that begins as UTF-16 or UTF-32 do, which Windows likes to write.

    Its zero bytes are valid UTF-8, so that some of it would be read, as garbage.

    Args:
        data: the file's first block.
        name: what errors call the file.

    Raises:
        CorpusError: it begins with a byte order mark of theirs, or holds a zero byte.
    """
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in data:
        raise CorpusError(f"{name}: not UTF-8 but UTF-16 or the like, or no text; save it as UTF-8")


@dataclass(frozen=True)
class Corpus:
    """A file of texts.

    Args:
        file: where it is.
        format: how it is written. In `lines` every line is a text, an empty one too.
        field: which field of a record is the text; of no effect in `lines`.
        name: what errors call the file.
    """

    file: Path
    format: Format
    field: str
    name: str

    @property
    def unit(self) -> str:
        """What records are counted in, from 1."""
        return "row" if self.format == "parquet" else "line"

    def texts(self, skipped: list[int] | None = None) -> Iterator[str]:
        """Read the texts in order.

        Args:
            skipped: gets the number of the line or row of every record that gives no text; None to
                stop at the first one.

        Raises:
            CorpusError: a record gives no text and `skipped` is None; or the file as a whole is
                wrong, such as a header without the field, or UTF-16.
            OSError: the file cannot be read.
        """
        for record in self._records():
            if isinstance(record, str):
                yield record
            elif skipped is not None:
                skipped.append(record.line)
            else:
                raise CorpusError(
                    f"{self.name}, {self.unit} {record.line}: {record.problem}. "
                    "Mend it, or leave such records out: --on-error skip"
                )

    def _records(self) -> _Records:
        if self.format == "parquet":
            yield from self._parquet()
            return
        translated = None if self.format in ("lines", "jsonl") else ""  # as `csv` asks for it
        # Bytes that are not UTF-8 become surrogates, which UTF-8 itself cannot give: so a bad line
        # can be told by its number, and left out.
        with self.file.open("rb") as binary:
            check_start(binary.peek(), self.name)
            stream = io.TextIOWrapper(binary, "utf-8-sig", "surrogateescape", translated)
            match self.format:
                case "lines":
                    yield from _lines(stream)
                case "jsonl":
                    yield from self._jsonl(stream)
                case _:
                    yield from self._csv(stream)

    def _jsonl(self, stream: TextIO) -> _Records:
        for number, line in enumerate(stream, 1):
            if not line.isspace():
                problem = _utf8_problem(line)
                yield _Bad(number, problem) if problem else self._json_text(number, line)

    def _json_text(self, number: int, line: str) -> str | _Bad:
        try:
            record = json.loads(line)
        except json.JSONDecodeError as err:
            return _Bad(number, f"not valid JSON ({err.msg} at column {err.colno})")
        except (ValueError, RecursionError) as err:  # a number too long, too deep a nesting
            return _Bad(number, f"not JSON that can be read ({err})")
        if not isinstance(record, dict):
            return _Bad(number, f"the line is {_KINDS[type(record)]}, not an object")
        if self.field not in record:
            return _Bad(number, self._no_field(record))
        text = record[self.field]
        if not isinstance(text, str):
            return _Bad(number, f'field "{self.field}" is {_KINDS[type(text)]}, not a string')
        return text

    def _csv(self, stream: TextIO) -> _Records:
        rows = _csv_rows(stream, "\t" if self.format == "tsv" else ",")
        first = next(rows, None)
        if first is None:
            raise CorpusError(f"{self.name} is empty; its first line must name the fields")
        line, header = first
        if isinstance(header, str) or self.field not in header:
            problem = header if isinstance(header, str) else self._no_field(header)
            raise CorpusError(f"{self.name}, line {line}: {problem}")
        column = header.index(self.field)
        for line, row in rows:
            if isinstance(row, str):
                yield _Bad(line, row)
            elif len(row) != len(header):
                yield _Bad(
                    line,
                    f"{len(row)} fields where the header has {len(header)}, so field "
                    f'"{self.field}" cannot be told; one that holds the separator must be quoted',
                )
            else:
                yield row[column]

    def _parquet(self) -> _Records:
        pa, pq = self._pyarrow()
        row = 0
        try:
            with pq.ParquetFile(self.file) as parquet:
                self._check_column(pa.types, parquet.schema_arrow)
                batches = parquet.iter_batches(batch_size=1024, columns=[self.field])
                for row, scalar in enumerate(chain.from_iterable(b.column(0) for b in batches), 1):
                    yield self._scalar_text(row, scalar)
        except (pa.ArrowException, OSError) as err:
            reason = " ".join(str(err).split())
            raise CorpusError(
                f"{self.name}: not a Parquet file that can be read, after row {row}: {reason}"
            ) from err

    def _pyarrow(self) -> tuple[Any, ModuleType]:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as err:
            raise CorpusError(
                f"{self.name}: reading Parquet needs pyarrow: pip install 'twinvec[parquet]'"
            ) from err
        return pa, pq

    def _check_column(self, types: ModuleType, schema: Any) -> None:
        if self.field not in schema.names:
            raise CorpusError(f"{self.name}: {self._no_field(schema.names)}")
        kind = schema.field(self.field).type
        value = kind.value_type if types.is_dictionary(kind) else kind
        if not (
            types.is_string(value) or types.is_large_string(value) or types.is_string_view(value)
        ):
            raise CorpusError(
                f'{self.name}: field "{self.field}" is of type {kind}, not string; '
                "choose another with --field"
            )

    def _scalar_text(self, row: int, scalar: Any) -> str | _Bad:
        try:
            text: str | None = scalar.as_py()
        except UnicodeDecodeError as err:
            return _Bad(row, f'field "{self.field}" is {_not_utf8(err)}')
        return _Bad(row, f'field "{self.field}" is null, not a string') if text is None else text

    def _no_field(self, names: Iterable[str]) -> str:
        listed = ", ".join(names) or "none"
        return f'no field "{self.field}"; it has {listed}. Choose one with --field'


def _lines(stream: TextIO) -> _Records:
    for number, line in enumerate(stream, 1):
        problem = _utf8_problem(line)
        yield _Bad(number, problem) if problem else line.removesuffix("\n")


def _csv_rows(stream: TextIO, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Read rows with the line that each begins on; instead of a bad row, what is wrong with it.

    Strict, since a quote that is never closed would otherwise make one text of all that follows.
    Where quotes are wrong, every line that was read in search of the row's end counts as bad.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(stream, delimiter=delimiter, strict=True)
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as err:
            problem = f"its quotes are not closed, or not doubled inside a quoted field ({err})"
            yield from ((number, problem) for number in range(line, rows.line_num + 1))
            continue
        problem = _utf8_problem(delimiter.join(row))
        if problem:
            yield line, problem
        elif row:
            yield line, row


def _utf8_problem(text: str) -> str:
    """Say what is wrong with text decoded with `surrogateescape`; empty where nothing is."""
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            text.encode(errors="surrogateescape").decode()
        except UnicodeDecodeError as err:
            return _not_utf8(err)
    return ""


def _not_utf8(err: UnicodeDecodeError) -> str:
    return f"not valid UTF-8 (byte 0x{err.object[err.start]:02x}: {err.reason})"
