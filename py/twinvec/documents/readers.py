"""Files of many kinds, read as sections: headings, the place to link to, and paragraphs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from twinvec.documents.records import Corpus, check_start
from twinvec.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from twinvec.documents.records import Format

__all__ = ["SUFFIXES", "Section", "missing_parser", "paragraphs_of", "read_sections"]

_BLANK_LINES = re.compile(r"\n\s*\n")
_START = 8192  # bytes that tell what a file is
_LONGEST = 1 << 16  # characters, about, that a paragraph of a text file is read to


@dataclass(frozen=True)
class Section:
    """What stands between two headings, or on a page, or in a record."""

    paragraphs: Iterable[str]
    """Read once: a long text is a stream."""
    headings: tuple[str, ...] = ()
    """From the outermost to this section's own."""
    anchor: str = ""
    """What follows the `#` of a link to this place; "" where there is none."""
    title: str = ""
    """The whole document's."""
    page: int | None = None
    """From 1, where there are pages."""


_Skipped: TypeAlias = "list[int] | None"


def read_sections(
    file: Path, name: str, *, field: str = "text", skipped: _Skipped = None
) -> Iterator[Section]:
    """Read a file of one of `SUFFIXES`.

    Args:
        file: where it is.
        name: what errors call it.
        field: which field of a record is the text, in JSON Lines, CSV, TSV and Parquet.
        skipped: see `Corpus.texts`; of effect where a file has lines or records.

    Raises:
        CorpusError: the file is damaged, not UTF-8 or nested too deeply, or a package that reads it
            is missing.
        OSError: it cannot be read.
    """
    return SUFFIXES[file.suffix.lower()](file, name, field, skipped)


def paragraphs_of(text: str) -> list[str]:
    """Cut text at blank lines."""
    return [part for part in _BLANK_LINES.split(text) if part.strip()]


def missing_parser(name: str, kind: str, err: ModuleNotFoundError, extra: str) -> CorpusError:
    """Say what to install."""
    return CorpusError(f"{name}: reading {kind} needs {err.name}: pip install 'twinvec[{extra}]'")


def _text(file: Path, name: str, _field: str, skipped: _Skipped) -> Iterator[Section]:
    yield Section(_joined(Corpus(file, "lines", "", name).texts(skipped)))


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Make paragraphs of the lines between blank ones, and of very many lines several."""
    paragraph: list[str] = []
    size = 0
    for line in chain(lines, [""]):
        blank = not line.strip()
        if not blank:
            paragraph.append(line)
            size += len(line)
        if paragraph and (blank or size >= _LONGEST):
            yield "\n".join(paragraph)
            paragraph, size = [], 0


def _records(
    format_: Format, file: Path, name: str, field: str, skipped: _Skipped
) -> Iterator[Section]:
    for text in Corpus(file, format_, field, name).texts(skipped):
        yield Section(paragraphs_of(text))


def _markdown(file: Path, name: str, _field: str, _skipped: _Skipped) -> Iterator[Section]:
    text = _decoded(file, name)
    try:
        from twinvec.documents.markup import markdown_sections
    except ModuleNotFoundError as err:
        raise missing_parser(name, "Markdown", err, "index") from err
    try:
        sections = markdown_sections(text)
    except ValueError as err:
        raise CorpusError(f"{name}: {err}") from err
    yield from sections


def _html(file: Path, name: str, _field: str, _skipped: _Skipped) -> Iterator[Section]:
    text = _decoded(file, name)
    try:
        from twinvec.documents.markup import html_sections
    except ModuleNotFoundError as err:
        raise missing_parser(name, "HTML", err, "index") from err
    yield from html_sections(text)


def _decoded(file: Path, name: str) -> str:
    data = file.read_bytes()
    check_start(data[:_START], name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise CorpusError(
            f"{name}, line {line}: not valid UTF-8 (byte 0x{data[err.start]:02x}: {err.reason}); "
            "save it as UTF-8"
        ) from err


def _pdf(file: Path, name: str, _field: str, _skipped: _Skipped) -> Iterator[Section]:
    try:
        import pypdf
    except ModuleNotFoundError as err:
        raise missing_parser(name, "PDF", err, "index") from err
    try:
        reader = pypdf.PdfReader(file)
        title = (reader.metadata and reader.metadata.title) or ""
        pages = [page.extract_text() for page in reader.pages]
    except OSError:
        raise
    except Exception as err:  # a damaged file makes pypdf raise much besides its own errors
        raise CorpusError(f"{name}: not a PDF that can be read ({err})") from err
    headings = (title,) if title else ()
    for number, text in enumerate(pages, 1):
        yield Section(paragraphs_of(text), headings, f"page={number}", title, number)


SUFFIXES: Mapping[str, Callable[[Path, str, str, _Skipped], Iterator[Section]]] = {
    ".txt": _text,
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".xhtml": _html,
    ".jsonl": partial(_records, "jsonl"),
    ".ndjson": partial(_records, "jsonl"),
    ".csv": partial(_records, "csv"),
    ".tsv": partial(_records, "tsv"),
    ".parquet": partial(_records, "parquet"),
    ".pdf": _pdf,
}
"""Suffix of a file's name -> what reads it."""
