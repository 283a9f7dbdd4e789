"""The quality set: texts that measure how close a dtype's vectors come to fp32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUALITY_TEXTS = (
    "",
    "panda",
    "What is a panda?",
    "The weather is lovely today.",
    "He drove to the stadium, parked, and missed the first goal by a minute.",
    "def mean(values):\n    return sum(values) / len(values)",
    "Crème brûlée for four, please; and 2.5 litres of water at 20 °C.",
    "Die Würde des Menschen ist unantastbar.",
    "東京は日本の首都です。",
    "اللغة العربية تُكتب من اليمين إلى اليسار",
    "👍 great, would buy again!!! 10/10",
    "https://example.org/search?q=semantic+search#results",
    (
        "Semantic search ranks texts by what they mean, not by the words they share with a query. "
        "A model turns each text into a vector, so that texts of like meaning lie close together; "
        "a query is turned into a vector by the same model, and its nearest neighbours are the "
        "answer. Everything depends on both sides making their vectors alike."
    ),
    "a long list: " + ", ".join(f"item {number}" for number in range(60)),
)
"""14 texts of many kinds, from none to a few hundred tokens."""


def lowest_cosine(vectors: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return the lowest cosine of corresponding rows, float [n, dim] each.

    It is computed in float64, so that 0.9999997 is meaningful.
    """
    left, right = vectors.astype(np.float64), expected.astype(np.float64)
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines = (left * right).sum(axis=1) / np.maximum(norms, 1e-12)
    # A text without tokens is a zero vector on both sides, whose cosine is undefined.
    return float(np.where((left == right).all(axis=1), 1, cosines).min())
