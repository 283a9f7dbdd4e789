"""CSV and TSV: the first row names the fields."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING

from twinvec.documents.records.fields import missing_field
from twinvec.documents.utf8 import open_text, utf8_problem
from twinvec.errors import FieldError, FileError, RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

    from twinvec.documents.on_error import OnError

# A quote that is never closed would otherwise read the rest of the file into memory.
_MAX_FIELD_CHARACTERS = 2**24


@dataclass(frozen=True)
class _Row:
    """A row and the line on which it begins; `problem` is empty if the row is valid."""

    line: int
    cells: list[str] = dataclass_field(default_factory=list)
    problem: str = ""


def read_delimited(
    delimiter: str, file: Path, name: str, field: str, on_error: OnError
) -> Iterator[str]:
    """Yield the texts of a CSV or TSV file; see `read_texts`."""
    with open_text(file, name, newline="") as stream:
        rows = _rows(stream, delimiter)
        header = next(rows, None)
        if header is None:
            raise FileError(name, "the file is empty; its first line must name the fields")
        if header.problem:
            raise FileError(name, header.problem, header.line)
        if field not in header.cells:
            raise FieldError(name, missing_field(field, header.cells), header.line)
        column = header.cells.index(field)
        for row in rows:
            problem = row.problem
            if not problem and len(row.cells) != len(header.cells):
                problem = (
                    f"{len(row.cells)} fields where the header has {len(header.cells)}, so field "
                    f'"{field}" cannot be found; quote fields that contain the separator'
                )
            if problem:
                on_error(RecordError(name, problem, row.line))
            else:
                yield row.cells[column]


def _rows(stream: TextIO, delimiter: str) -> Iterator[_Row]:
    """Yield rows, valid or not.

    The parser is strict: otherwise a quote that is never closed would swallow all later rows.
    Where quotes are wrong, every line that was read in search of the row's end counts as bad.
    """
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as err:
            problem = f"its quotes are not closed, or not doubled inside a quoted field ({err})"
            for number in range(line, reader.line_num + 1):
                yield _Row(number, problem=problem)
            continue
        if cells:
            yield _Row(line, cells, utf8_problem(delimiter.join(cells)))
