"""From files to passages: documents of an index that link to where they were taken from."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from twinvec.documents.readers import read_sections
from twinvec.errors import CorpusError
from twinvec.index import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twinvec.documents.chunker import Chunker
    from twinvec.documents.find import Source
    from twinvec.documents.readers import Section

__all__ = ["Document", "passages_of", "read_passages"]


def read_passages(
    sources: Iterable[Source],
    chunker: Chunker,
    *,
    field: str = "text",
    url_prefix: str | None = None,
    problems: dict[str, str] | None = None,
) -> Iterator[Document]:
    """Read files as a stream of passages.

    Args:
        sources: the files.
        chunker: cuts what they say.
        field: which field of a record is the text.
        url_prefix: what makes a link of a file's name.
        problems: gets by a file's name what is wrong with it or its records, which are then left
            out; None to stop at the first one. Of a file that breaks midway it tells how many
            passages before that were given: a stream cannot take them back.

    Raises:
        CorpusError, OSError: a file cannot be read, and `problems` is None.
    """
    for source in sources:
        skipped: list[int] | None = None if problems is None else []
        # Of bytes, since a name may be none of UTF-8.
        url = None if url_prefix is None else url_prefix + quote(os.fsencode(source.name))
        sections = read_sections(source.file, source.name, field=field, skipped=skipped)
        given = 0
        try:
            for passage in passages_of(sections, chunker, source.name, url):
                yield passage
                given += 1
        except (CorpusError, OSError) as err:
            if problems is None:
                raise
            kept = f" (but for what precedes it; passages kept: {given:,})" if given else ""
            problems[source.name] = f"{err}{kept}"
        else:
            if problems is not None and skipped:
                first = ", ".join(map(str, skipped[:5])) + (", ..." if len(skipped) > 5 else "")
                problems[source.name] = f"{source.name}: {len(skipped)} left out, at line {first}"


def passages_of(
    sections: Iterable[Section], chunker: Chunker, source: str, url: str | None = None
) -> Iterator[Document]:
    """Cut the sections of one document.

    The id of a passage is its source and its anchor, with a number behind it where an anchor has
    several; without an anchor, its number in the document.

    Args:
        sections: in their order.
        chunker: cuts them.
        source: the document's name.
        url: the document's address, if it has one.
    """
    counts: Counter[str] = Counter()
    taken: set[str] = set()
    for section in sections:
        metadata = _metadata(section, source, url)
        for text in chunker.cut(section):
            yield Document(f"{source}#{_place(section.anchor, counts, taken)}", text, metadata)


def _metadata(section: Section, source: str, url: str | None) -> dict[str, Any]:
    anchor = quote(section.anchor, safe="=", errors="replace")  # lone surrogates
    metadata = {
        "source": source,
        "title": section.title,
        "heading": " > ".join(section.headings),
        "anchor": section.anchor,
        "page": section.page,
        "url": url and (f"{url}#{anchor}" if anchor else url),
    }
    return {key: value for key, value in metadata.items() if value}


def _place(anchor: str, counts: Counter[str], taken: set[str]) -> str:
    """Name a place in a document unlike any before, though pages may have an id twice, or a 7."""
    counts[anchor] += 1
    number = str(counts[anchor])
    if not anchor:
        return number
    place = anchor if number == "1" and not anchor.isdecimal() else f"{anchor}:{number}"
    if place in taken:
        return _place(anchor, counts, taken)
    taken.add(place)
    return place
