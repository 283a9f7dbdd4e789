"""JSON Lines: every line is an object with a text field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twinvec.documents.records.fields import missing_field
from twinvec.documents.utf8 import open_text, utf8_problem
from twinvec.errors import RecordError, RecordFieldError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from twinvec.documents.on_error import OnError

_TYPE_NAMES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def read_jsonl(file: Path, name: str, field: str, on_error: OnError) -> Iterator[str]:
    """Yield the texts of a JSON Lines file; see `read_texts`."""
    with open_text(file, name) as stream:
        for number, line in enumerate(stream, 1):
            if line.isspace():
                continue
            try:
                text = _text_of(line, name, number, field)
            except RecordError as err:
                on_error(err)
            else:
                yield text


def _text_of(line: str, name: str, number: int, field: str) -> str:
    """Return the text field of one line.

    Raises:
        RecordError: the line is no JSON object with a text in this field.
    """
    if problem := utf8_problem(line):
        raise RecordError(name, problem, number)
    try:
        record = json.loads(line)
    except json.JSONDecodeError as err:
        problem = f"not valid JSON ({err.msg} at column {err.colno})"
        raise RecordError(name, problem, number) from err
    except (ValueError, RecursionError) as err:  # a number too long, or nesting too deep
        problem = f"this JSON cannot be read ({err})"
        raise RecordError(name, problem, number) from err
    if not isinstance(record, dict):
        problem = f"the line is {_TYPE_NAMES[type(record)]}, not an object"
        raise RecordError(name, problem, number)
    if field not in record:
        raise RecordFieldError(name, missing_field(field, record), number)
    text = record[field]
    if not isinstance(text, str):
        problem = f'field "{field}" is {_TYPE_NAMES[type(text)]}, not a string'
        raise RecordError(name, problem, number)
    return text
