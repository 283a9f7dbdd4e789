"""Passages: the documents of an index that are cut from files and link back to them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from twinvec.documents.section import shorten
from twinvec.index import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twinvec.documents.chunker import Chunker
    from twinvec.documents.section import Section

MAX_ANCHOR_CHARACTERS = 1000
"""A longer anchor is left out, since each passage repeats it in its id, metadata and URL."""


def passages_of(
    sections: Iterable[Section], chunker: Chunker, source: str, url: str | None = None
) -> Iterator[Document]:
    """Cut the sections of one file into passages.

    A passage's id is the file's name and the anchor, with a number if several passages share the
    anchor. Without an anchor it is the file's name and a number.

    Args:
        sections: in the order of the file.
        chunker: cuts them.
        source: the file's name.
        url: the file's URL; None for no URLs.
    """
    counts: Counter[str] = Counter()
    used_places: set[str] = set()
    for section in sections:
        anchor = section.anchor if len(section.anchor) <= MAX_ANCHOR_CHARACTERS else ""
        metadata = _metadata(section, anchor, source, url)
        for text in chunker.cut(section):
            place_name = _place_name(anchor, counts, used_places)
            yield Document(f"{source}#{place_name}", text, metadata)


def _metadata(section: Section, anchor: str, source: str, url: str | None) -> dict[str, Any]:
    quoted = quote(anchor, safe="=", errors="replace")  # may contain lone surrogates
    metadata = {
        "source": source,
        "title": shorten(section.title),
        "heading": " > ".join(map(shorten, section.headings)),
        "anchor": anchor,
        "page": section.page,
        "url": url and (f"{url}#{quoted}" if quoted else url),
    }
    return {key: value for key, value in metadata.items() if value}


def _place_name(anchor: str, counts: Counter[str], used_places: set[str]) -> str:
    """Return a unique name of a place in a file, though anchors may repeat or be numbers."""
    while True:
        counts[anchor] += 1
        number = str(counts[anchor])
        if not anchor:
            return number
        name = anchor if number == "1" and not anchor.isdecimal() else f"{anchor}:{number}"
        if name not in used_places:
            used_places.add(name)
            return name
