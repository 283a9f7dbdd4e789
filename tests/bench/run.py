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
import search
import web
from corpora import mixed, workloads

from conftest import open_tab
from twinvec import Embedder
from twinvec.pins import EMBEDDED

PACKAGES = ("onnxruntime", "fastembed", "sentence-transformers", "torch", "playwright")
DTYPES = ("fp32", "w8", "w8a8", "q8")
PARTS = ("native", "web", "dtypes", "start", "memory", "search")


def main() -> None:
    """Run what is asked for and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    parser.add_argument("--quick", action="store_true", help="fewer texts and rounds")
    options = parser.parse_args()
    parts = options.parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    embedder = Embedder.from_pretrained(EMBEDDED.name)
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        figures = {"environment": environment(playwright)}
        show("environment", figures["environment"])
        for part in parts:
            runner = globals()[f"measure_{part}"]
            figures[part] = runner(playwright, Path(folder) / part, embedder, quick=options.quick)
            show(part, figures[part])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def environment(playwright: Playwright) -> dict[str, Any]:
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
    return {**machine, "python": platform.python_version(), **found, "Transformers.js": peer}


def measure_native(
    _playwright: Playwright, _folder: Path, embedder: Embedder, *, quick: bool
) -> dict[str, Any]:
    """Compare on CPython; ratios are of the peer's time to twinvec's."""
    return {
        workload.name: compare(native.contenders(embedder, workload), rounds=3 if quick else 5)
        for workload in workloads(quick=quick)
    }


def measure_web(
    playwright: Playwright, folder: Path, embedder: Embedder, *, quick: bool
) -> dict[str, Any]:
    """Compare in the browser; ratios are of the peer's time to twinvec's."""
    found = {}
    for workload in workloads(quick=quick):
        runs = [embedder._tokenizer.encode(text).input_ids.tolist() for text in workload.texts]
        with (
            web.bench_site(folder / workload.name, embedder, runs) as address,
            web.launched(playwright) as browser,
        ):
            pages = web.open_pages(browser, address, embedder.info.name)
            rounds = 30 if len(runs) == 1 else 3
            found[workload.name] = compare(web.contenders(pages, workload), rounds)
            if workload.listed:  # once: it takes as long as all others together
                seconds = web.one_list(pages, workload)
                ratio = seconds / found[workload.name]["twinvec"]["seconds"]
                listed = {"seconds": seconds, "ratio": ratio}
                found[workload.name]["Transformers.js, one list"] = listed
    return found


def compare(
    contenders: dict[str, Callable[[], float]], rounds: int, base: str = "twinvec"
) -> dict[str, Any]:
    """Time all in turns; each one's median seconds, and the median of its ratios to the base's."""
    for run in contenders.values():
        run()  # the first time also compiles and fills caches
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        print(f"  round {number + 1} of {rounds} ...", file=sys.stderr, flush=True)
        for name, run in contenders.items():
            seconds[name].append(run())
    return {
        name: {
            "seconds": statistics.median(taken),
            "ratio": statistics.median(
                one / other for one, other in zip(taken, seconds[base], strict=True)
            ),
        }
        for name, taken in seconds.items()
    }


def measure_dtypes(
    playwright: Playwright, folder: Path, embedder: Embedder, *, quick: bool
) -> dict[str, Any]:
    """Compare dtypes in the browser; ratios are to fp32's time."""
    texts = mixed(16 if quick else 64)
    with (
        web.dtype_site(folder, embedder.info.name, DTYPES) as address,
        web.launched(playwright) as browser,
    ):
        tabs = {dtype: open_tab(browser, address, f"?dtype={dtype}") for dtype in DTYPES}
        contenders: dict[str, Callable[[], float]] = {
            dtype: partial(native.timed, partial(tab.encode, texts)) for dtype, tab in tabs.items()
        }
        return compare(contenders, 3 if quick else 7, base="fp32")


def measure_start(
    playwright: Playwright, folder: Path, embedder: Embedder, *, quick: bool
) -> dict[str, Any]:
    """Take the time to the first vector."""
    with web.bench_site(folder, embedder, []) as address:
        return web.first_vectors(playwright, address, embedder.info.name, 2 if quick else 5)


def measure_memory(
    playwright: Playwright, folder: Path, embedder: Embedder, *, quick: bool
) -> dict[str, Any]:
    """Take the memory of the whole tab, in bytes."""
    with web.bench_site(folder, embedder, []) as address:
        return web.page_memory(playwright, address, mixed(400 if quick else 2000))


def measure_search(
    playwright: Playwright, folder: Path, _embedder: Embedder, *, quick: bool
) -> dict[str, Any]:
    """Take latency, recall and memory of large indexes."""
    return search.measure(playwright, folder, quick=quick)


def show(title: str, figures: dict[str, Any], indent: str = "") -> None:
    """Print what a reader looks for."""
    print(f"{indent}{title}")
    for name, value in figures.items():
        if isinstance(value, dict) and "seconds" in value:
            ratio = f"{value['ratio']:.2f}"
            print(f"{indent}  {name:35} {value['seconds']:8.3f} s   x {ratio}")
        elif isinstance(value, dict):
            show(name, value, indent + "  ")
        else:
            unit = "" if "," in name or "@" in name else " s"
            shown = f"{value:.3f}{unit}" if isinstance(value, float) else value
            print(f"{indent}  {name:35} {shown}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
