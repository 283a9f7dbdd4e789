"""Texts that the tests embed: real English prose and code, and what tokenizers stumble over."""

from __future__ import annotations

import inspect
import random
import statistics
import textwrap
from pydoc_data.topics import topics

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


def prose(count: int, seed: int = 0, shortest: int = 3, longest: int = 400) -> list[str]:
    """Cut passages of log-uniformly drawn lengths (in words) from Python's documentation."""
    words = " ".join(topics[name] for name in sorted(topics)).split()
    draw = random.Random(seed)
    lengths = [round(shortest * (longest / shortest) ** draw.random()) for _ in range(count)]
    starts = [draw.randrange(len(words) - longest) for _ in range(count)]
    return [
        " ".join(words[start : start + length])
        for start, length in zip(starts, lengths, strict=True)
    ]


def code(count: int) -> list[str]:
    """Give real functions' source."""
    modules = (statistics, textwrap, random)
    functions = [
        function
        for module in modules
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
    ]
    return [inspect.getsource(function) for function in functions[:count]]


def parity_texts() -> list[str]:
    """Give more than 300 texts: prose of 3 to 400 words, code, and everything in `ODD`."""
    long = " ".join(prose(3, seed=1, shortest=399))
    return [*ODD, long, *code(20), *prose(260)]


def random_strings(count: int, seed: int = 0) -> list[str]:
    """Make seeded random Unicode of all planes, mixed with what matters to normalisation."""
    draw = random.Random(seed)
    blocks = [
        (0x00, 0x7F),
        (0x80, 0x24F),
        (0x300, 0x36F),  # combining marks
        (0x370, 0x3FF),  # Greek, with the final sigma
        (0x400, 0x6FF),
        (0x900, 0x1FFF),
        (0x2000, 0x2BFF),
        (0x3000, 0x9FFF),
        (0xAC00, 0xD7AF),
        (0xD800, 0xDFFF),  # lone surrogates, and pairs by chance
        (0xE000, 0xFFFF),
        (0x10000, 0x1FFFF),
        (0x20000, 0x3FFFF),
        (0x40000, 0x10FFFF),
    ]
    pieces = ["Σ", "ΑΣ ", "\x00", " ", "[CLS]", "ing", "the ", "\u0301", "\u200d", "İ", "\r\n"]

    def piece() -> str:
        if draw.random() < 0.3:
            return draw.choice(pieces)
        return chr(draw.randint(*draw.choice(blocks)))

    return ["".join(piece() for _ in range(draw.randint(0, 24))) for _ in range(count)]
