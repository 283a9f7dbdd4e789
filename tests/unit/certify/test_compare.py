"""A difference of any kind is found."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from twinvec.certify.compare import compare, compare_hits, failures_of, same_facts, same_top_10
from twinvec.certify.record import NativeResults
from twinvec.certify.texts import Sample


def with_difference(native: NativeResults, difference: float) -> str:
    vectors = native.vectors.copy()
    vectors[3, 5] += np.float32(difference)
    return base64.b64encode(vectors.tobytes()).decode()


def test_equal_results_pass(
    measured: dict[str, Any], native: NativeResults, sample: Sample
) -> None:
    comparison = compare(measured, native, sample)
    assert comparison["failures"] == []
    assert comparison["max_delta"] == 0
    assert comparison["min_cosine"] == 1
    assert comparison["same_top_10"] == 1
    assert comparison["deltas"] == [0.0] * len(sample.texts)


@pytest.mark.parametrize(("difference", "passes"), [(3e-7, True), (1e-6, False), (np.nan, False)])
def test_a_difference_of_a_vector_is_measured(
    measured: dict[str, Any],
    native: NativeResults,
    sample: Sample,
    difference: float,
    passes: bool,
) -> None:
    measured["vectors"] = with_difference(native, difference)
    comparison = compare(measured, native, sample)
    assert comparison["max_delta"] == pytest.approx(difference, abs=6e-8, nan_ok=True)
    failures = [failure for failure in comparison["failures"] if "vectors differ by" in failure]
    assert len(failures) == (0 if passes else 1)
    other = compare({**measured, "vectors": with_difference(native, 0)}, native, sample)
    assert comparison["vectors_sha256"] != other["vectors_sha256"]


def test_w8a8_may_not_differ_at_all(
    measured: dict[str, Any], natives: list[NativeResults], sample: Sample
) -> None:
    (native,) = [native for native in natives if native.dtype == "w8a8"]
    measured |= {"vectors": with_difference(native, 3e-7), "hits": native.hits}
    measured["versions"]["fingerprint"] = native.fingerprint
    failures = compare(measured, native, sample)["failures"]
    assert [failure.partition(";")[2] for failure in failures] == [" 0 is allowed"]


def test_other_ids_hits_and_facts_are_found(
    measured: dict[str, Any], native: NativeResults, sample: Sample
) -> None:
    measured["ids"] = [[9], *native.ids[1:]]
    measured["hits"]["lexical"][0][0][0] = "text-other"
    measured["hits"]["semantic"][0][0][1] += 1e-4
    measured["invariant"] = False
    measured["versions"]["fingerprint"]["dim"] = 1
    comparison = compare(measured, native, sample)
    assert comparison["token_differences"] == 1
    text = " ".join(comparison["failures"])
    for part in ("'word0 word7 word0'", "fingerprint", "depends on", "order", "scores"):
        assert part in text


def test_a_missing_hit_is_another_order() -> None:
    native = {"semantic": [[("a", 1.0), ("b", 0.5)]]}
    assert compare_hits({"semantic": [[["a", 1.0]]]}, native) == (False, 0)
    assert compare_hits({"semantic": [[["a", 1.0], ["b", 0.25]]]}, native) == (True, 0.25)


def test_rankings_are_compared() -> None:
    vectors = np.eye(4, dtype=np.float32)
    vectors[3] = [0.9, 0.4, 0.1, 0]  # the query
    other = vectors.copy()
    other[3] = [0.4, 0.9, 0.1, 0]
    assert same_top_10(vectors, vectors, 3) == 1
    assert same_top_10(vectors, other, 3) == 0


def test_an_approximate_dtype_may_rank_otherwise(native: NativeResults) -> None:
    comparison = {
        "token_differences": 0,
        "max_delta": 0.01,
        "same_fingerprint": True,
        "batch_invariant": True,
        "same_top_10": 0.3,
        "same_search_order": False,
        "max_score_delta": 0.1,
    }
    assert list(failures_of(comparison, replace(native, dtype="q8"))) == []
    assert len(list(failures_of(comparison, native))) == 4


def test_a_fact_that_is_none_may_be_missing() -> None:
    assert same_facts({"dim": 3}, {"dim": 3, "revision": None})
    assert not same_facts({"dim": 3}, {"dim": 3, "revision": "main"})
