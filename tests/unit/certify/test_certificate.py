"""The plan of runs, and the verdict over all of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from twinvec.certify.certificate import all_failures, dtype_rows, plan_runs, run_line
from twinvec.certify.compare import compare
from twinvec.certify.record import NativeResults
from twinvec.certify.runs import Conditions
from twinvec.certify.texts import Sample


def test_the_long_form_runs_every_combination(natives: list[NativeResults]) -> None:
    runs = list(plan_runs(natives, jspi=True, quick=False))
    assert len(set(runs_of(runs))) == 3 * 2 * 2 * 2
    without = list(plan_runs(natives, jspi=False, quick=False))
    assert len(set(runs_of(without))) == len(without) == 3 * 2 * 2
    assert not any(conditions.jspi for _, conditions in without)


def test_the_quick_form_varies_the_conditions_of_the_smallest_exact_dtype(
    natives: list[NativeResults],
) -> None:
    runs = [dtype for dtype, _ in runs_of(plan_runs(natives, jspi=True, quick=True))]
    exact = [native for native in natives if native.exact]
    smallest = min(exact, key=lambda native: native.weights_bytes).dtype
    assert {dtype: runs.count(dtype) for dtype in runs} == {
        native.dtype: 2 if native.dtype == smallest else 1 for native in natives
    }


def runs_of(plan: Any) -> list[tuple[str, Conditions]]:
    return [(native.dtype, conditions) for native, conditions in plan]


def test_the_verdict_needs_the_same_bits(
    measured: dict[str, Any], native: NativeResults, sample: Sample
) -> None:
    run: dict[str, Any] = {"engine": "chromium", "dtype": "fp32", **asdict(Conditions())}
    run |= {"seconds": 1.0, **compare(measured, native, sample)}
    rows = dtype_rows([native], [run, run])
    assert rows["fp32"]["same_bits"] is True
    assert rows["fp32"]["cosine_to_fp32"] == 1
    assert list(all_failures(rows, [run], [])) == []
    assert run_line(run, Conditions()).startswith("chromium, fp32, one session: 15 texts, max")
    other = {**run, "engine": "webkit", "vectors_sha256": "another"}
    rows = dtype_rows([native], [run, other])
    assert list(all_failures(rows, [run, other], [])) == ["fp32: runs do not have the same bits"]


def test_a_browser_that_fails_fails_the_certificate(native: NativeResults) -> None:
    run = {"engine": "webkit", "dtype": "fp32", "seconds": 1.0, "failures": ["it crashed"]}
    rows = dtype_rows([native], [run])
    assert rows["fp32"]["max_delta"] is None
    tokens = [{"engine": "firefox", "strings": 5, "failures": ["other ids"]}]
    assert list(all_failures(rows, [run], tokens)) == [
        "webkit, fp32: it crashed",
        "fp32: runs do not have the same bits",
        "firefox: other ids",
    ]
    assert run_line(run, Conditions()) == "webkit, fp32, one session: FAILED: it crashed"
