"""Measure speed and memory beside the peers, in one and the same run, in turns.

`python build.py bench` runs it. Only ratios mean something: machines differ, and are shared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Playwright, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

import native
import report
import search
import web
from corpora import mixed, workloads
from subject import DTYPES, Subject, prepare

from conftest import open_tab

PACKAGES = ("onnxruntime", "fastembed", "sentence-transformers", "torch", "playwright")


def main() -> None:
    """Run what is asked for and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios: .svg or .png")
    parser.add_argument("--quick", action="store_true", help="fewer texts and rounds")
    parser.add_argument(
        "--synthetic",
        action="store_true",
        help="random weights of bge-small's shape in place of all-MiniLM-L6-v2",
    )
    parser.add_argument(
        "--update-docs", action="store_true", help="write the table of docs/performance.md"
    )
    options = parser.parse_args()
    parts = options.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    with sync_playwright() as playwright, TemporaryDirectory() as temporary:
        subject = prepare(Path(temporary) / "subject", synthetic=options.synthetic)
        figures = {"environment": environment(playwright, subject)}
        report.show("environment", figures["environment"])
        for part in parts:
            folder = Path(temporary) / part
            figures[part] = PARTS[part](playwright, folder, subject, quick=options.quick)
            report.show(part, figures[part])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    if options.plot:
        report.plot(figures, options.plot)
    if options.update_docs:
        report.update_page(figures)


def environment(playwright: Playwright, subject: Subject) -> dict[str, Any]:
    """Tell what the figures were measured on."""
    with web.launched(playwright) as browser:
        found = {"chromium": browser.version}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    lock = json.loads((web.PEERS / "package-lock.json").read_text(encoding="utf-8"))
    peer = lock["packages"]["node_modules/@huggingface/transformers"]["version"]
    machine = {"machine": platform.machine(), "cores": os.cpu_count()}
    python = {"model": subject.embedder.info.name, "python": platform.python_version()}
    return {**machine, **python, **found, "Transformers.js": peer}


def measure_native(
    _playwright: Playwright, _folder: Path, subject: Subject, *, quick: bool
) -> dict[str, Any]:
    """Compare on CPython; ratios are of the peer's time to twinvec's."""
    return {
        workload.name: compare(native.contenders(subject, workload), rounds=3 if quick else 5)
        for workload in workloads(quick=quick)
    }


def measure_web(
    playwright: Playwright, folder: Path, subject: Subject, *, quick: bool
) -> dict[str, Any]:
    """Compare in the browser; ratios are of the peer's time to twinvec's."""
    found = {}
    for workload in workloads(quick=quick):
        with (
            web.bench_site(folder / workload.name, subject, workload.texts) as address,
            web.launched(playwright) as browser,
        ):
            pages = web.open_pages(browser, address, subject.embedder.info.name)
            rounds = 30 if len(workload.texts) == 1 else 3
            found[workload.name] = compare(web.contenders(pages, workload), rounds)
    return found


def compare(
    contenders: dict[str, Callable[[], float]], rounds: int, base: str = "twinvec"
) -> dict[str, Any]:
    """Time all in turns; see `summary`."""
    for run in contenders.values():
        run()  # the first time also compiles and fills caches
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        print(f"  round {number + 1} of {rounds} ...", file=sys.stderr, flush=True)
        for name, run in contenders.items():
            seconds[name].append(run())
    return summary(seconds, base)


def summary(seconds: dict[str, list[float]], base: str = "twinvec") -> dict[str, Any]:
    """Give each one's median seconds, and the median of its rounds' ratios to the base's."""
    return {
        name: {
            "seconds": statistics.median(taken),
            "ratio": statistics.median(
                one / other for one, other in zip(taken, seconds[base], strict=True)
            ),
        }
        for name, taken in seconds.items()
    }


def measure_stages(
    playwright: Playwright, folder: Path, subject: Subject, *, quick: bool
) -> dict[str, Any]:
    """Take the seconds of each stage in the browser."""
    with web.bench_site(folder, subject, []) as address:
        return {
            workload.name: web.stages(playwright, address, workload)
            for workload in workloads(quick=quick)
        }


def measure_dtypes(
    playwright: Playwright, folder: Path, subject: Subject, *, quick: bool
) -> dict[str, Any]:
    """Compare dtypes in the browser; ratios are to fp32's time."""
    texts = mixed(16 if quick else 64)
    with (
        web.bench_site(folder, subject, []) as address,
        web.launched(playwright) as browser,
    ):
        tabs = {dtype: open_tab(browser, address, f"?dtype={dtype}") for dtype in DTYPES}
        contenders: dict[str, Callable[[], float]] = {
            dtype: partial(native.timed, partial(tab.encode, texts)) for dtype, tab in tabs.items()
        }
        return {"mixed corpus": compare(contenders, 3 if quick else 7, base="fp32")}


def measure_start(
    playwright: Playwright, folder: Path, subject: Subject, *, quick: bool
) -> dict[str, Any]:
    """Compare the time to the first vector; ratios are of the peer's time to twinvec's."""
    with web.bench_site(folder, subject, []) as address:
        rounds = 2 if quick else 5
        visits = web.first_vectors(playwright, address, subject.embedder.info.name, rounds)
    return {visit: summary(seconds) for visit, seconds in visits.items()}


def measure_memory(
    playwright: Playwright, folder: Path, subject: Subject, *, quick: bool
) -> dict[str, Any]:
    """Take the memory of the whole tab."""
    with web.bench_site(folder, subject, []) as address:
        return web.page_memory(playwright, address, mixed(400 if quick else 2000))


def measure_search(
    playwright: Playwright, folder: Path, _subject: Subject, *, quick: bool
) -> dict[str, Any]:
    """Take latency, recall and memory of large indexes."""
    return search.measure(playwright, folder, quick=quick)


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "native": measure_native,
    "web": measure_web,
    "stages": measure_stages,
    "dtypes": measure_dtypes,
    "start": measure_start,
    "memory": measure_memory,
    "search": measure_search,
}


if __name__ == "__main__":
    main()
