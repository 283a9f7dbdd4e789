"""Compare the results of a browser with those of CPython."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.convert.quality import lowest_cosine
from twinvec.encoding.similarity import semantic_search

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from twinvec.certify.record import NativeResults
    from twinvec.certify.texts import Sample

SCORE_BOUND = 1e-6
"""Largest accepted difference of a search's scores, of exact dtypes."""


def compare(measured: Mapping[str, Any], native: NativeResults, sample: Sample) -> dict[str, Any]:
    """Compare a browser's results with CPython's.

    Args:
        measured: see `Measured` in `measure.js`.
        native: of the same dtype and sample.
        sample: texts and queries.

    Returns:
        JSON-ready figures; `failures` lists what breaks the class of the dtype.
    """
    content = base64.b64decode(measured["vectors"])
    vectors = np.frombuffer(content, np.float32).reshape(native.vectors.shape)
    deltas = np.max(np.abs(vectors - native.vectors), axis=1)
    names, scores = compare_hits(measured["hits"], native.hits)
    different = [i for i, ids in enumerate(native.ids) if measured["ids"][i] != ids]
    comparison = {
        "texts": len(sample.texts),
        "token_differences": len(different),
        "first_token_difference": sample.texts[different[0]] if different else None,
        "max_delta": float(np.max(deltas)),
        "deltas": [float(f"{delta:.2e}") for delta in deltas[: len(sample.texts)]],
        "min_cosine": lowest_cosine(vectors, native.vectors),
        "same_top_10": same_top_10(vectors, native.vectors, len(sample.texts)),
        "same_search_order": names,
        "max_score_delta": scores,
        "batch_invariant": measured["invariant"],
        "same_fingerprint": same_facts(measured["versions"]["fingerprint"], native.fingerprint),
        "self_check": measured["versions"]["deviation"],
        "vectors_sha256": hashlib.sha256(content).hexdigest(),
    }
    return {**comparison, "failures": list(failures_of(comparison, native))}


def same_facts(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Compare fingerprints; JSON of a page lacks facts that are None."""
    return all(left.get(name) == right.get(name) for name in left.keys() | right.keys())


def compare_hits(
    measured: Mapping[str, Any], native: Mapping[str, list[list[tuple[str, float]]]]
) -> tuple[bool, float]:
    """Compare the hits of all modes and queries.

    Returns:
        True if all are in the same order, and the largest difference of their scores.
    """
    pairs = [
        (measured_hits, hits)
        for mode, lists in native.items()
        for measured_hits, hits in zip(measured[mode], lists, strict=True)
    ]
    same = all(
        [name for name, _ in measured_hits] == [name for name, _ in hits]
        for measured_hits, hits in pairs
    )
    differences = (
        abs(left[1] - right[1])
        for measured_hits, hits in pairs
        for left, right in zip(measured_hits, hits, strict=False)
    )
    return same, max(differences, default=0.0)


def same_top_10(vectors: NDArray[np.float32], native: NDArray[np.float32], texts: int) -> float:
    """Return the share of queries that find the same ten texts in the same order.

    Args:
        vectors: of texts, then queries, float32 [n, dim].
        native: the same of CPython.
        texts: number of texts.
    """
    if not np.isfinite(vectors).all():  # such vectors have no order
        return 0.0
    rankings = [
        [
            [match.position for match in matches]
            for matches in semantic_search(rows[texts:], rows[:texts], top_k=10)
        ]
        for rows in (vectors, native)
    ]
    return float(np.mean([left == right for left, right in zip(*rankings, strict=True)]))


def failures_of(comparison: Mapping[str, Any], native: NativeResults) -> Iterator[str]:
    """Yield what breaks the class of the dtype."""
    if count := comparison["token_differences"]:
        text = comparison["first_token_difference"]
        yield f"{count} texts have other token ids, the first is {text!a}"
    if not comparison["max_delta"] <= native.bound:  # so that NaN fails
        yield f"vectors differ by {comparison['max_delta']:.2g}; {native.bound:g} is allowed"
    if not comparison["same_fingerprint"]:
        yield "the fingerprint differs"
    if not comparison["batch_invariant"]:
        yield "a vector depends on the other texts of its call"
    if not native.exact:
        return
    if comparison["same_top_10"] < 1:
        yield f"only {comparison['same_top_10']:.0%} of the queries find the same ten texts"
    if not comparison["same_search_order"]:
        yield "a search finds another order"
    if comparison["max_score_delta"] > SCORE_BOUND:
        yield f"scores of searches differ by {comparison['max_score_delta']:.2g}"
