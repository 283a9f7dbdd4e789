"""Measure speed and memory; `python build.py bench` runs it. Ratios are of one and the same run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, Playwright, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import DIST, Tab, launch_options, open_tab, serving_tests
from texts import prose
from twinvec.site import build_site

DTYPES = ("fp32", "w8", "w8a8")


def main() -> None:
    """Run everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    parser.add_argument("--quick", action="store_true", help="fewer texts and rounds")
    options = parser.parse_args()
    texts, rounds = (prose(16), 3) if options.quick else (prose(64), 7)
    with sync_playwright() as playwright, site() as address:
        figures = {
            "environment": environment(playwright),
            "dtypes": compare_dtypes(playwright, address, texts, rounds),
        }
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


@contextmanager
def site() -> Iterator[str]:
    """Serve a site with the same model as `dist/`, in all of `DTYPES`."""
    manifest = json.loads((DIST / "models" / "manifest.json").read_text(encoding="utf-8"))
    with TemporaryDirectory() as folder:
        say(f"a site with {', '.join(DTYPES)} ...")
        dist = Path(folder) / "dist"
        embedder, _ = build_site(dist, manifest["models"][0]["name"], dtypes=DTYPES)
        embedder.close()
        with serving_tests(Path(folder) / "site", dist) as address:
            yield address


def environment(playwright: Playwright) -> dict[str, Any]:
    """Tell what the figures were measured on."""
    with launched(playwright) as browser:
        version = browser.version
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "chromium": version,
    }


def compare_dtypes(
    playwright: Playwright, address: str, texts: list[str], rounds: int
) -> dict[str, Any]:
    """Take each dtype's time for the same texts, in turns, and the memory of its page alone."""
    memory = {}
    for dtype in DTYPES:
        say(f"memory of a page with {dtype} ...")
        with launched(playwright) as browser:
            open_tab(browser, address, f"?dtype={dtype}")
            memory[dtype] = renderer_memory(browser)
    seconds: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
    with launched(playwright) as browser:
        tabs = {dtype: open_tab(browser, address, f"?dtype={dtype}") for dtype in DTYPES}
        for tab in tabs.values():
            tab.encode(texts)  # the first time also compiles
        for number in range(rounds):
            say(f"{len(texts)} texts, round {number + 1} of {rounds} ...")
            for dtype, tab in tabs.items():
                seconds[dtype].append(timed(tab, texts))
    full = seconds["fp32"]
    ratios = {
        dtype: statistics.median(one / other for one, other in zip(all_, full, strict=True))
        for dtype, all_ in seconds.items()
    }
    return {
        "texts": len(texts),
        "seconds": {dtype: statistics.median(all_) for dtype, all_ in seconds.items()},
        "to fp32": ratios,
        "bytes after load": memory,
    }


def timed(tab: Tab, texts: list[str]) -> float:
    """Embed in the page; seconds."""
    start = time.perf_counter()
    tab.encode(texts)
    return time.perf_counter() - start


def renderer_memory(browser: Browser) -> int:
    """Sum up the proportional set size of the browser's renderers, in bytes; Linux only."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    pids = [process["id"] for process in processes if process["type"] == "renderer"]
    return sum(map(proportional_set_size, pids))


def proportional_set_size(pid: int) -> int:
    """Read one process's from /proc, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    (kilobytes,) = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return kilobytes * 1024


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """Start a browser of its own."""
    browser = playwright.chromium.launch(**launch_options(playwright))
    try:
        yield browser
    finally:
        browser.close()


def say(message: str) -> None:
    """Show progress."""
    print(message, file=sys.stderr, flush=True)


def show(figures: dict[str, Any]) -> None:
    """Print what a reader looks for."""
    machine, dtypes = figures["environment"], figures["dtypes"]
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print(f"\n{dtypes['texts']} texts in the browser, median; memory of the page after load")
    for dtype, seconds in dtypes["seconds"].items():
        ratio, memory = dtypes["to fp32"][dtype], dtypes["bytes after load"][dtype] / 1e6
        print(f"  {dtype:5} {seconds:7.2f} s, {ratio:.3f} of fp32's {memory:8.0f} MB")


if __name__ == "__main__":
    main()
