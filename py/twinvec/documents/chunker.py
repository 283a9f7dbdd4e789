"""Sections cut into passages that a model reads whole.

A passage holds as many paragraphs of one section as its budget of tokens allows. A paragraph above
the budget is cut behind sentences, a sentence behind lines, a line between words, a word between
characters. So nothing is lost, and nothing is truncated when it is embedded.
"""

from __future__ import annotations

import re
from itertools import chain, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from twinvec.documents.readers import Section
    from twinvec.embedder import Embedder

__all__ = ["MAX_TOKENS", "OVERLAP", "Chunker"]

MAX_TOKENS = 200
"""Few enough for every model, and for a passage to be about one thing."""
OVERLAP = 32
"""About a sentence or two."""

_LEAST = 16  # tokens of text: half of them is room for any single character
_LONGEST_TOKEN = 64  # characters, on average over a passage; of prose it is 4 to 6
# That sentences also end behind "e.g. " harms little, since only long paragraphs are cut at all.
_SENTENCE = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\]]*\s+|[\u3002\uff01\uff1f]|\n\s*\n")
_LINE = re.compile(r"\n")


class Chunker:
    """Cuts sections to a budget, counted by the model's own tokenizer.

    Every passage begins with the headings above it on a line of their own: what is embedded is
    what is shown. Outer headings are left out where they would take more than half of the budget.

    Args:
        embedder: its tokenizer counts, its special tokens and document prompt included.
        max_tokens: what a passage may have; None for `MAX_TOKENS`, or what the model takes if that
            is less.
        overlap: how many tokens at the end of a passage the next one of the same section may
            repeat, in whole sentences; 0 for none.

    Raises:
        ValueError: the model does not take so many tokens, they leave no room for a text, or half
            of them would be repeated.
    """

    def __init__(
        self, embedder: Embedder, max_tokens: int | None = None, overlap: int = OVERLAP
    ) -> None:
        most = embedder.info.max_length
        self._embedder = embedder
        self._empty = 0
        self._empty = self._count("")
        self.max_tokens = min(MAX_TOKENS, most) if max_tokens is None else max_tokens
        least = self._empty + _LEAST
        if not least <= self.max_tokens <= most:
            raise ValueError(
                f"max_tokens must be between {least} and {most} for {embedder.info.name}, not "
                f"{self.max_tokens}"
            )
        self._room = self.max_tokens - self._empty
        if not 0 <= overlap <= self._room // 2:
            raise ValueError(f"overlap must be between 0 and {self._room // 2}, not {overlap}")
        self.overlap = overlap

    def cut(self, section: Section) -> Iterator[str]:
        """Cut a section into the texts of its passages."""
        head, paragraphs = self._head(section.headings), section.paragraphs
        if section.headings and not head:  # a heading as long as a paragraph is one
            paragraphs = [section.headings[-1], *paragraphs]
        body = ""
        for piece in self._pieces(head, paragraphs):
            if body and not self._fits(head + (body + piece).strip()):
                yield head + body.strip()
                body = self._repeated(head, body, piece) if self.overlap else ""
            body += piece
        if body:
            yield head + body.strip()

    def _count(self, text: str) -> int:
        """Count the tokens of a text alone."""
        (count,) = self._embedder.count_tokens([self._embedder.info.document_prompt + text])
        return count - self._empty

    def _fits(self, text: str, room: int | None = None) -> bool:
        """Tell whether a text has at most so many tokens, or else the room of a passage.

        What is very long has more, and is not even counted, which takes 200 times its size.
        """
        most = self._room if room is None else room
        return len(text) <= most * _LONGEST_TOKEN and self._count(text) <= most

    def _head(self, headings: Sequence[str]) -> str:
        for start in range(len(headings)):
            head = " > ".join(headings[start:]) + "\n"
            if self._fits(head, self._room // 2):
                return head
        return ""

    def _pieces(self, head: str, paragraphs: Iterable[str]) -> Iterator[str]:
        """Give paragraphs, and the parts of those that do not fit in one passage."""
        for paragraph in paragraphs:
            text = paragraph.strip("\n").rstrip() + "\n\n"
            if not text.isspace():
                yield from self._cut_up(head, text)

    def _cut_up(
        self, head: str, text: str, ends: Sequence[re.Pattern[str]] = (_SENTENCE, _LINE)
    ) -> Iterator[str]:
        """Cut text that does not fit behind the first of these `ends`, else into halves."""
        if self._fits(head + text.strip()):
            yield text
            return
        parts = _parts(text, ends[0]) if ends else _halves(text)
        for part in parts:
            yield from self._cut_up(head, part, ends[1:])

    def _repeated(self, head: str, body: str, piece: str) -> str:
        """Take the last sentences of a passage into the next one, if there is room."""
        tail = ""
        for sentence in reversed(list(_parts(body, _SENTENCE))):
            longer = sentence + tail
            new = head + (longer + piece).strip()
            if not (self._fits(longer, self.overlap) and self._fits(new)):
                break
            tail = longer
        return tail


def _parts(text: str, end: re.Pattern[str]) -> Iterator[str]:
    """Cut behind every end; joined, the parts are the text."""
    ends = (match.end() for match in end.finditer(text))
    for start, stop in pairwise(chain([0], ends, [len(text)])):
        if start < stop:
            yield text[start:stop]


def _halves(text: str) -> tuple[str, str]:
    """Cut between the two words that are nearest to the middle, else in the middle of a word."""
    middle = len(text) // 2
    spaces = (text.rfind(" ", 1, middle), text.find(" ", middle, len(text) - 1))
    found = [space + 1 for space in spaces if space > 0]
    at = min(found, key=lambda place: abs(place - middle), default=middle)
    return text[:at], text[at:]
