"""The table of file readers: each file becomes sections."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from twinvec.documents.on_error import OnError, raise_error
from twinvec.documents.records.formats import FORMATS, read_texts
from twinvec.documents.section import Section, paragraphs_of
from twinvec.documents.utf8 import read_text
from twinvec.errors import FileError, FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_MAX_PARAGRAPH_CHARACTERS = 1 << 16  # a text file without blank lines is cut about there


def read_sections(
    file: Path, name: str, *, field: str = "text", on_error: OnError = raise_error
) -> Iterator[Section]:
    """Yield the sections of a file with one of the suffixes in `READERS`.

    Args:
        file: path of the file.
        name: the file's name in messages.
        field: the field of a record that holds the text, in JSON Lines, CSV, TSV and Parquet.
        on_error: receives a `RecordError` for each line or record without a text.

    Raises:
        FileError: the file is damaged, not UTF-8 or nested too deeply, its suffix is unknown, or
            an optional package is missing.
        OSError: the file cannot be read.
    """
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise FormatError(name, READERS)
    return reader(file, name, field, on_error)


def _text_sections(file: Path, name: str, _field: str, on_error: OnError) -> Iterator[Section]:
    lines = read_texts(file, "lines", name=name, on_error=on_error)
    yield Section(_paragraphs(lines))


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Join the lines between blank ones, but cut after very many lines."""
    paragraph: list[str] = []
    size = 0
    for line in chain(lines, [""]):
        is_blank = not line.strip()
        if not is_blank:
            paragraph.append(line)
            size += len(line)
        if paragraph and (is_blank or size >= _MAX_PARAGRAPH_CHARACTERS):
            yield "\n".join(paragraph)
            paragraph, size = [], 0


def _record_sections(
    format_: str, file: Path, name: str, field: str, on_error: OnError
) -> Iterator[Section]:
    for text in read_texts(file, format_, name=name, field=field, on_error=on_error):
        yield Section(paragraphs_of(text))


def _markdown_sections(file: Path, name: str, _field: str, _on_error: OnError) -> Iterator[Section]:
    text = read_text(file, name)
    with _optional_parser(name, "Markdown"):
        from twinvec.documents.markup import markdown_sections  # needs optional packages
    with _refusals(name):
        yield from markdown_sections(text)


def _html_sections(file: Path, name: str, _field: str, _on_error: OnError) -> Iterator[Section]:
    text = read_text(file, name)
    with _optional_parser(name, "HTML"):
        from twinvec.documents.markup import html_sections  # needs optional packages
    with _refusals(name):
        yield from html_sections(text)


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Name the file whose markup is refused."""
    try:
        yield
    except ValueError as err:
        raise FileError(name, str(err)) from err


def _pdf_sections(file: Path, name: str, _field: str, _on_error: OnError) -> Iterator[Section]:
    with _optional_parser(name, "PDF"):
        from twinvec.documents.pdf import pdf_sections  # needs an optional package
    yield from pdf_sections(file, name)


@contextmanager
def _optional_parser(name: str, kind: str) -> Iterator[None]:
    """Report a missing optional package with the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as err:
        problem = f"reading {kind} needs {err.name}: pip install 'twinvec[index]'"
        raise FileError(name, problem) from err


READERS: Mapping[str, Callable[[Path, str, str, OnError], Iterator[Section]]] = {
    ".txt": _text_sections,
    ".md": _markdown_sections,
    ".markdown": _markdown_sections,
    ".html": _html_sections,
    ".htm": _html_sections,
    ".xhtml": _html_sections,
    **{
        suffix: partial(_record_sections, format_)
        for format_ in ("jsonl", "csv", "tsv", "parquet")
        for suffix in FORMATS[format_].suffixes
    },
    ".pdf": _pdf_sections,
}
"""Suffix of a file name -> reader; takes the file, its name, the text field and `on_error`."""
