"""The certificate: every dtype of a site in every engine, under every condition."""

from __future__ import annotations

import itertools
import tempfile
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinvec.certify.compare import compare
from twinvec.certify.engines import Engine
from twinvec.certify.fuzz import TokenFuzz
from twinvec.certify.page import write_page
from twinvec.certify.record import native_versions, site_models
from twinvec.certify.runs import Conditions, has_jspi, measure, serve_run
from twinvec.convert.quality import lowest_cosine
from twinvec.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from twinvec.certify.record import NativeResults
    from twinvec.certify.texts import Sample

    Report = Callable[[str], object]
    """Called with a line about each step that is done."""

ALL_CONDITIONS = tuple(
    Conditions(several_sessions, isolated, jspi)
    for several_sessions, isolated, jspi in itertools.product(
        (False, True), (False, True), (True, False)
    )
)
QUICK_CONDITIONS = (
    Conditions(),
    Conditions(several_sessions=True, isolated=True, jspi=False),
)


def certify(
    site: Path,
    *,
    engines: Sequence[str],
    sample: Sample,
    dtypes: Sequence[str] = (),
    strings: int = 0,
    quick: bool = False,
    report: Report = lambda _: None,
) -> dict[str, Any]:
    """Compare browser engines with CPython, and with each other.

    Args:
        site: folder of a site, whose first model is compared. It is not changed.
        engines: names of engines that are installed.
        sample: texts and queries.
        dtypes: weights to compare; all of the site's by default.
        strings: number of random strings to tokenize in each engine.
        quick: try few combinations of conditions.
        report: called with a line after each run.

    Returns:
        The certificate, JSON-ready; it has passed if `failures` is empty.

    Raises:
        TwinvecError: the site or an engine cannot be used.
        ValueError: the site lacks a dtype.
    """
    with tempfile.TemporaryDirectory(prefix="twinvec-") as scratch:
        page = Path(scratch) / "page"
        report("CPython ...")
        natives = write_page(site, page, sample, dtypes=dtypes)
        fuzz = TokenFuzz(site, strings)
        browsers, runs, tokens = {}, [], []
        for name in engines:
            with Engine(name) as engine:
                browsers[name], jspi = engine.browser, has_jspi(engine)
            for native, conditions in plan_runs(natives, jspi=jspi, quick=quick):
                runs.append(
                    run_once(site, page, name, native=native, conditions=conditions, sample=sample)
                )
                report(run_line(runs[-1], conditions))
            if strings:
                tokens.append(fuzz.run(name, page, report))
    return compose(site, browsers, natives, runs, tokens)


def compose(
    site: Path,
    browsers: Mapping[str, str],
    natives: Sequence[NativeResults],
    runs: Sequence[Mapping[str, Any]],
    tokens: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Compose the certificate of runs."""
    (info, *_) = site_models(site)
    rows = dtype_rows(natives, runs)
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "native": native_versions(),
        "model": info.name,
        "revision": info.revision,
        "tokenizer_sha256": info.files["tokenizer.json"]["sha256"],
        "engines": browsers,
        "dtypes": rows,
        "runs": runs,
        "tokens": tokens,
        "failures": list(all_failures(rows, runs, tokens)),
    }


def plan_runs(
    natives: Sequence[NativeResults], *, jspi: bool, quick: bool
) -> Iterator[tuple[NativeResults, Conditions]]:
    """Yield the runs of an engine.

    Args:
        natives: CPython's results of each dtype.
        jspi: the engine has JavaScript Promise Integration, so that it can be switched off.
        quick: only one dtype runs under more than the first conditions.
    """
    settings = QUICK_CONDITIONS if quick else ALL_CONDITIONS
    usable = dict.fromkeys(
        replace(conditions, jspi=conditions.jspi and jspi) for conditions in settings
    )
    smallest = min(natives, key=lambda native: (not native.exact, native.weights_bytes))
    for native in natives:
        limit = 1 if quick and native is not smallest else None
        for conditions in itertools.islice(usable, limit):
            yield native, conditions


def run_once(
    site: Path,
    page: Path,
    engine_name: str,
    *,
    native: NativeResults,
    conditions: Conditions,
    sample: Sample,
) -> dict[str, Any]:
    """Measure and compare one run in a new browser; a browser that fails is a failure."""
    start = time.monotonic()
    run = {"engine": engine_name, "dtype": native.dtype, **asdict(conditions)}
    try:
        with (
            tempfile.TemporaryDirectory(prefix="twinvec-") as folder,
            serve_run(site, page, Path(folder), conditions) as address,
            Engine(engine_name) as engine,
        ):
            measured = measure(engine, address, native.dtype, sample)
    except EngineError as err:
        run["failures"] = [str(err)]
    else:
        versions = measured["versions"]
        run |= {
            "sessions": versions["sessions"],
            "browser": measured["browser"],
            "is_isolated": measured["isolated"],
            "versions": {name: versions[name] for name in ("python", "pyodide", "onnxruntime")},
            **compare(measured, native, sample),
        }
    return {**run, "seconds": round(time.monotonic() - start, 1)}


def run_line(run: Mapping[str, Any], conditions: Conditions) -> str:
    """Describe a run in a line."""
    start = f"{run['engine']}, {run['dtype']}, {conditions}: "
    if "max_delta" not in run:
        return f"{start}FAILED: {run['failures'][0]}"
    figures = f"{run['texts']} texts, max |delta| {run['max_delta']:.1e}, {run['seconds']} s"
    return start + "; ".join([figures, *(f"FAILED: {failure}" for failure in run["failures"])])


def dtype_rows(
    natives: Sequence[NativeResults], runs: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Summarize the runs of each dtype."""
    full = next((native.quality_vectors for native in natives if native.dtype == "fp32"), None)
    rows = {}
    for native in natives:
        own = [run for run in runs if run["dtype"] == native.dtype and "max_delta" in run]
        cosine = None if full is None else lowest_cosine(native.quality_vectors, full)
        rows[native.dtype] = {
            "parity": native.fingerprint["parity"],
            "bound": native.bound,
            "weights_sha256": native.fingerprint["weights_sha256"],
            "bytes": native.weights_bytes,
            "cosine_to_fp32": cosine,
            "max_delta": max((run["max_delta"] for run in own), default=None),
            "same_top_10": min((run["same_top_10"] for run in own), default=None),
            "same_bits": len({run["vectors_sha256"] for run in own}) == 1,
        }
    return rows


def all_failures(
    rows: Mapping[str, Mapping[str, Any]],
    runs: Sequence[Mapping[str, Any]],
    tokens: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """Yield everything that fails the certificate."""
    for run in runs:
        for failure in run["failures"]:
            yield f"{run['engine']}, {run['dtype']}: {failure}"
    for dtype, row in rows.items():
        if row["parity"] == "exact" and not row["same_bits"]:
            yield f"{dtype}: runs do not have the same bits"
    for fuzzed in tokens:
        for failure in fuzzed["failures"]:
            yield f"{fuzzed['engine']}: {failure}"
