"""The section: a heading's part of a file, as all readers return it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_HEADING_CHARACTERS = 1000
"""A longer heading is text that was marked by mistake. Every passage below it would repeat it."""

_BLANK_LINES = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Section:
    """The text under one heading, on one page, or in one record.

    Example:
        >>> Section(["Run pip."], headings=("Guide", "Setup"), anchor="setup").headings[-1]
        'Setup'
    """

    paragraphs: Iterable[str]
    """May be a stream, which can be read only once."""
    headings: tuple[str, ...] = ()
    """From the outermost heading to the section's own."""
    anchor: str = ""
    """The part of a link after `#`; empty if the section has none."""
    title: str = ""
    """Title of the whole file."""
    page: int | None = None
    """Number of the page, counted from 1; None in files without pages."""


def paragraphs_of(text: str) -> list[str]:
    """Split text at blank lines."""
    return [paragraph for paragraph in _BLANK_LINES.split(text) if paragraph.strip()]


def shorten(heading: str) -> str:
    """Cut a heading or title to `MAX_HEADING_CHARACTERS`, with an ellipsis at its end."""
    if len(heading) <= MAX_HEADING_CHARACTERS:
        return heading
    return heading[: MAX_HEADING_CHARACTERS - 1] + "\u2026"
