"""Seeded random strings that tokenizers stumble over."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BLOCKS = (
    (0x00, 0x7F),
    (0x80, 0x2FF),
    (0x300, 0x36F),  # combining marks
    (0x370, 0x3FF),  # Greek, with the final sigma
    (0x400, 0x8FF),
    (0x900, 0x1FFF),
    (0x2000, 0x2BFF),
    (0x2C00, 0x9FFF),
    (0xA000, 0xD7FF),
    (0xD800, 0xDFFF),  # lone surrogates, and pairs by chance
    (0xE000, 0xFFFF),
    (0x10000, 0x1FFFF),
    (0x20000, 0x3FFFF),
    (0x40000, 0x10FFFF),
)
"""First and last code point of blocks that together are all of Unicode."""

NORMALISED = (
    (0xC0, 0x17F),
    (0x1E00, 0x1FFF),
    (0x2000, 0x206F),  # spaces of all widths, and marks of direction
    (0x2100, 0x214F),
    (0x2460, 0x24FF),
    (0x3300, 0x33FF),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0xFB00, 0xFDFF),
    (0xFE00, 0xFEFF),
    (0xFF00, 0xFFEF),
    (0x1D400, 0x1D7FF),
    (0x2F800, 0x2FA1F),
)
"""Blocks in which Unicode's normal forms differ."""

PIECES = (
    *("Σ", "ΑΣ ", "ΟΔΥΣΣΕΥΣ", "İ", "ı", "ẞ", "ﬁ", "Ǆ", "K", "Å", "e\u0301", "ą\u0301"),
    *("\u0301", "\u0323\u0307", "\u200d", "\u200b", "\ufeff", "\u00ad", "\ufe0f", "\u2028"),
    *("\x00", "\x7f", "\x85", "\r\n", "\t", " ", "  ", "\u00a0", "\u3000"),
    *("ing", "the ", "don't", "##ing", "1,000.5e-3", "a@b.c", "_", "…", "½", "₿", "№"),
)
CLUSTERS = (
    *("👩‍👩‍👧‍👦", "👍🏽", "🇫🇷", "🇫", "🏴\U000e0067\U000e0062\U000e007f", "❤️‍🔥", "1️⃣", "☎︎"),
    *("क्षि", "த்ரௌ", "ก็", "각", "ᄀ\u1161\u11a8", "각", "カ\u3099", "ガ", "שָׁ", "اَلله"),
    *("a\u0300\u0301\u0302", "Z\u0351\u036b\u0343", "ö\u0308", "𝒜", "𪚥", "\U0001f3f4"),
)
LOOK_ALIKES = (
    *("[CLS]", "[cls]", "[ CLS ]", "[CLS", "CLS]", "[[SEP]]", "[UNK]", "[PAD]", "[MASK] "),
    *("<s>", "</s>", "< s >", "<pad>", "<mask>", "<unk>", "<|endoftext|>", "##", "##a", "@@"),
    *("▁", "▁the", "Ġ", "Ċ", "Ġthe", "［CLS］", "<0x0A>", "<0xFF>", "\\u0041", "&amp;", "%20"),
)


def random_strings(count: int, seed: object = 0, specials: Sequence[str] = ()) -> list[str]:
    """Make strings of all kinds, the same for the same arguments.

    Args:
        count: number of strings.
        seed: a number or string.
        specials: special tokens of the tokenizer.
    """
    draw = random.Random(str(seed))
    look_alikes = (*LOOK_ALIKES, *specials)
    kinds: tuple[Callable[[], str], ...] = (
        lambda: mixed(draw, BLOCKS, PIECES),
        lambda: mixed(draw, NORMALISED, PIECES),
        lambda: mixed(draw, BLOCKS[:6], CLUSTERS),
        lambda: mixed(draw, BLOCKS[:2], look_alikes),
        lambda: "".join(draw.choices(look_alikes + PIECES, k=draw.randint(0, 8))),
        lambda: long_word(draw),
    )
    weights = (6, 4, 4, 3, 2, 1)
    return [draw.choices(kinds, weights)[0]() for _ in range(count)]


def mixed(draw: random.Random, blocks: Sequence[tuple[int, int]], pieces: Sequence[str]) -> str:
    """Join characters of blocks with pieces."""
    return "".join(
        draw.choice(pieces) if draw.random() < 0.3 else chr(draw.randint(*draw.choice(blocks)))
        for _ in range(draw.randint(0, 24))
    )


def long_word(draw: random.Random) -> str:
    """Repeat a piece without a space: tokenizers give up words of 100 characters and more."""
    piece = draw.choice(PIECES + CLUSTERS + ("x", "word", "字", "é"))
    return piece * draw.randint(1, 300) + draw.choice(("", " end", "."))
