"""What is embedded."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pydoc_data.topics import topics

WORDS = " ".join(topics[name] for name in sorted(topics)).split()


@dataclass(frozen=True)
class Workload:
    """Texts under a name."""

    name: str
    texts: list[str]


def passages(lengths: list[int], seed: int) -> list[str]:
    """Cut passages of given lengths, in words, from Python's documentation."""
    draw = random.Random(seed)
    starts = [draw.randrange(len(WORDS) - length) for length in lengths]
    return [
        " ".join(WORDS[start : start + length])
        for start, length in zip(starts, lengths, strict=True)
    ]


def mixed(count: int, seed: int = 0) -> list[str]:
    """Make texts of log-normally distributed lengths, 4 to 200 words, half of them below 28."""
    draw = random.Random(seed)
    lengths = [min(200, max(4, round(draw.lognormvariate(3.33, 0.9)))) for _ in range(count)]
    return passages(lengths, seed)


def workloads(*, quick: bool) -> list[Workload]:
    """Give a query, a corpus and long texts.

    And a corpus that Transformers.js embeds in one call: with 256 texts that ends in
    `std::bad_alloc`.
    """
    return [
        Workload("one query", ["What is the difference between a list and a tuple?"]),
        Workload("mixed corpus", mixed(32 if quick else 256)),
        Workload("one list", mixed(16 if quick else 64)),
        Workload("long texts", passages([400] * (8 if quick else 64), seed=2)),
    ]
