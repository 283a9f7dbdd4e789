"""Cut sections into passages that fit into a model.

A passage holds as many paragraphs of one section as its token budget allows. A longer paragraph is
cut after sentences, a longer sentence after lines, a longer line between words, a longer word
between characters. So no text is lost, and none is truncated when it is embedded.
"""

from __future__ import annotations

import re
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from twinvec.documents.section import Section
    from twinvec.embedder import Embedder

MAX_TOKENS = 200
"""Default budget: fits every model, and keeps a passage to one subject."""
OVERLAP_TOKENS = 32
"""Default overlap: one or two sentences."""

_MIN_TEXT_TOKENS = 16  # half of them (the rest may be headings) has room for any character
_MAX_CHARACTERS_PER_TOKEN = 64  # average over a passage; prose has 4 to 6
_MAX_HEAD_CHARACTERS_PER_TOKEN = 8  # headings are counted with every paragraph
# A false end after "e.g. " does little harm: only long paragraphs are cut at sentences.
_SENTENCE_END = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\]]*\s+|[\u3002\uff01\uff1f]|\n\s*\n")
_LINE_END = re.compile(r"\n")


class Chunker:
    r"""Cuts sections into texts of a limited number of tokens.

    Each text begins with its headings on a line of their own, so search results show exactly the
    text that was embedded. Outer headings are dropped where all of them would take more than half
    of the budget.

    Args:
        embedder: counts tokens, including special tokens and the document prompt.
        max_tokens: limit for one text; None for `MAX_TOKENS`, or the model's limit if that is
            smaller.
        overlap: number of tokens that a text may repeat from the end of the one before it, in
            whole sentences.

    Raises:
        ValueError: `max_tokens` exceeds the model's limit or leaves no room for text, or `overlap`
            exceeds half of that room.

    Example:
        >>> chunker = Chunker(Embedder.from_pretrained(), max_tokens=100)
        >>> list(chunker.cut(Section(["Run pip."], headings=("Guide", "Setup"))))
        ['Guide > Setup\nRun pip.']
    """

    def __init__(
        self, embedder: Embedder, max_tokens: int | None = None, overlap: int = OVERLAP_TOKENS
    ) -> None:
        self._embedder = embedder
        model_limit = embedder.info.max_length
        self._prompt_tokens = self._count_with_prompt("")
        self.max_tokens = min(MAX_TOKENS, model_limit) if max_tokens is None else max_tokens
        minimum = self._prompt_tokens + _MIN_TEXT_TOKENS
        if not minimum <= self.max_tokens <= model_limit:
            raise ValueError(
                f"max_tokens must be between {minimum} and {model_limit} for "
                f"{embedder.info.name}, not {self.max_tokens}"
            )
        self._text_budget = self.max_tokens - self._prompt_tokens
        max_overlap = self._text_budget // 2
        if not 0 <= overlap <= max_overlap:
            raise ValueError(f"overlap must be between 0 and {max_overlap}, not {overlap}")
        self.overlap = overlap

    def cut(self, section: Section) -> Iterator[str]:
        """Yield the texts of a section's passages."""
        head, paragraphs = self._head(section.headings), section.paragraphs
        if section.headings and not head:  # the heading is too long, so it becomes a paragraph
            paragraphs = [section.headings[-1], *paragraphs]
        pieces = self._pieces(head, paragraphs)
        overlap, waiting = "", list(islice(pieces, 1))
        while waiting:
            count = self._count_fitting(head, overlap, waiting, pieces)
            body = overlap + "".join(waiting[:count])
            yield head + body.strip()
            del waiting[:count]
            waiting += islice(pieces, not waiting)
            overlap = self._overlap_of(head, body, waiting[0]) if waiting and self.overlap else ""

    def _count_with_prompt(self, text: str) -> int:
        (count,) = self._embedder.count_tokens([self._embedder.info.document_prompt + text])
        return count

    def _fits(self, text: str, budget: int | None = None) -> bool:
        """Check whether a text has at most `budget` tokens (default: those of a passage).

        Very long text is not counted: tokenizing takes 200 times its size in memory.
        """
        limit = self._text_budget if budget is None else budget
        if len(text) > limit * _MAX_CHARACTERS_PER_TOKEN:
            return False
        return self._count_with_prompt(text) - self._prompt_tokens <= limit

    def _head(self, headings: Sequence[str]) -> str:
        """Join as many inner headings as fit into half of the budget."""
        budget = self._text_budget // 2
        for start in range(len(headings)):
            if sum(map(len, headings[start:])) <= budget * _MAX_HEAD_CHARACTERS_PER_TOKEN:
                head = " > ".join(headings[start:]) + "\n"
                if self._fits(head, budget):
                    return head
        return ""

    def _count_fitting(
        self, head: str, overlap: str, waiting: list[str], pieces: Iterator[str]
    ) -> int:
        """Count the pieces that fit into one passage; the first one does.

        Args:
            head: the headings.
            overlap: the text that is repeated from the passage before.
            waiting: the next pieces; more are added from `pieces` as far as needed.
            pieces: the pieces that follow.
        """

        def fits(count: int) -> bool:
            waiting.extend(islice(pieces, max(0, count - len(waiting))))
            text = head + (overlap + "".join(waiting[:count])).strip()
            return count <= len(waiting) and self._fits(text)

        return _largest_fitting(fits, 1)

    def _pieces(self, head: str, paragraphs: Iterable[str]) -> Iterator[str]:
        """Yield paragraphs, or the parts of those that exceed a passage."""
        for paragraph in paragraphs:
            text = paragraph.strip("\n").rstrip() + "\n\n"
            if not text.isspace():
                yield from self._cut_piece(head, text)

    def _cut_piece(
        self, head: str, text: str, ends: Sequence[re.Pattern[str]] = (_SENTENCE_END, _LINE_END)
    ) -> Iterator[str]:
        """Cut text that exceeds a passage, after the first pattern of `ends`, else into halves."""
        if self._fits(head + text.strip()):
            yield text
            return
        parts = _split_after(text, ends[0]) if ends else _halves(text)
        for part in parts:
            yield from self._cut_piece(head, part, ends[1:])

    def _overlap_of(self, head: str, body: str, piece: str) -> str:
        """Return the last sentences of a passage that fit before `piece` in the next one."""
        sentences = list(_split_after(body, _SENTENCE_END))

        def fits(count: int) -> bool:
            overlap = "".join(sentences[-count:])
            return (
                count <= len(sentences)
                and self._fits(overlap, self.overlap)
                and self._fits(head + (overlap + piece).strip())
            )

        count = _largest_fitting(fits, 0)
        return "".join(sentences[len(sentences) - count :])


def _largest_fitting(fits: Callable[[int], bool], count: int) -> int:
    """Return the largest count that fits, from one that does, after few tries.

    Counting tokens of every beginning of a passage would take time that grows with its square.
    """
    while fits(too_many := count + max(1, count // 2)):
        count = too_many
    while too_many - count > 1:
        middle = (count + too_many) // 2
        if fits(middle):
            count = middle
        else:
            too_many = middle
    return count


def _split_after(text: str, end: re.Pattern[str]) -> Iterator[str]:
    """Split text after every match; the parts joined are the text."""
    ends = (match.end() for match in end.finditer(text))
    for start, stop in pairwise(chain([0], ends, [len(text)])):
        if start < stop:
            yield text[start:stop]


def _halves(text: str) -> tuple[str, str]:
    """Split text at the space nearest to its middle, else in the middle of a word."""
    middle = len(text) // 2
    spaces = (text.rfind(" ", 1, middle), text.find(" ", middle, len(text) - 1))
    positions = [space + 1 for space in spaces if space > 0]
    position = min(positions, key=lambda position: abs(position - middle), default=middle)
    return text[:position], text[position:]
