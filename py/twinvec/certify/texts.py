"""Texts of a certificate: real English prose and code, and what tokenizers stumble over."""

from __future__ import annotations

import inspect
import random
import statistics
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ODD = [
    "",
    " ",
    " \t\n ",
    "[CLS]",
    "a [SEP] b [MASK] [UNK] [PAD] c",
    "##ing [CLS",
    "👍",
    "👩‍👩‍👧‍👦 family, 🇫🇷 flag, 👍🏽 skin tone",
    "自然语言处理让计算机理解文字。",
    "東京は日本の首都です。カタカナ、ひらがな",
    "한국어 문장 하나",
    "𠀀𠀁 astral 汉字 𪚥",
    "اللغة العربية تُكتب من اليمين إلى اليسار",
    "עברית עם ניקוד: שָׁלוֹם",
    "Crème brûlée, naïve façade, Ångström, œuvre",
    "e\u0301 decomposed, \u00e9 composed",
    "ΟΔΥΣΣΕΥΣ ΣΑΣ Σ final sigma",
    "İstanbul ıI ẞß ﬁ ligature Ǆ",
    "nul \x00 inside, \ufeff BOM, \u200b zero width, \u00ad soft hyphen",
    "control \x01\x1f\x7f\x85 \u2028 separators",
    "lone \ud800 high, \udc00 low, pair \ud83d\udc4d",
    "\ud83d\udc4d\ud800",
    "x" * 500,
    "word" * 60,
    "don't can't o'clock -- ... !!! ?!",
    "3.14159 1,000,000 1e-10 0x1F 50% $9.99 €5 №7",
    "https://example.org/a/b?c=d&e=f#g user@example.org",
    "<script>alert('x')</script> &amp; <b>bold</b>",
    "SELECT * FROM t WHERE a = 'b'; -- comment",
    "ｆｕｌｌｗｉｄｔｈ ａｎｄ ½ ² ™ ℃",
]

QUERY_COUNT = 50
WORDS_OF_A_QUERY = 8


@dataclass(frozen=True)
class Sample:
    """Texts to embed, and queries to search them with.

    ::

        >>> len(default_sample().texts)
        311
    """

    texts: list[str]
    queries: list[str]

    @property
    def documents(self) -> list[str]:
        """The texts that an index can hold, each once: without empty ones and lone surrogates."""
        return list(dict.fromkeys(filter(is_document, self.texts)))


def default_sample(*, quick: bool = False) -> Sample:
    """Return more than 300 texts and 50 queries, or a few dozen of each."""
    queries = prose(QUERY_COUNT, seed=7, shortest=3, longest=12)
    if quick:
        return Sample([*ODD, *code(3), *prose(20, seed=4, longest=100)], queries[:20])
    return Sample(parity_texts(), queries)


def sample_of(texts: Sequence[str]) -> Sample:
    """Return texts with queries from their first words.

    Raises:
        ValueError: there is no text.
    """
    if not texts:
        raise ValueError("there is no text to compare")
    beginnings = (" ".join(text.split()[:WORDS_OF_A_QUERY]) for text in texts)
    queries = list(dict.fromkeys(filter(is_document, beginnings)))
    return Sample(list(texts), queries[:QUERY_COUNT])


def is_document(text: str) -> bool:
    """Check if an index can hold a text."""
    return bool(text.strip()) and text.encode(errors="replace").decode() == text


def prose(count: int, seed: int = 0, shortest: int = 3, longest: int = 400) -> list[str]:
    """Cut passages of log-uniformly drawn lengths (in words) from Python's documentation."""
    from pydoc_data.topics import topics  # large, and other commands do not need it

    words = " ".join(topics[name] for name in sorted(topics)).split()
    draw = random.Random(seed)
    lengths = [round(shortest * (longest / shortest) ** draw.random()) for _ in range(count)]
    starts = [draw.randrange(len(words) - longest) for _ in range(count)]
    return [
        " ".join(words[start : start + length])
        for start, length in zip(starts, lengths, strict=True)
    ]


def code(count: int) -> list[str]:
    """Return the source of real functions."""
    modules = (statistics, textwrap, random)
    functions = [
        function
        for module in modules
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
    ]
    return [inspect.getsource(function) for function in functions[:count]]


def parity_texts() -> list[str]:
    """Return more than 300 texts: prose of 3 to 400 words, code, and everything in `ODD`."""
    long = " ".join(prose(3, seed=1, shortest=399))
    return [*ODD, long, *code(20), *prose(260)]
