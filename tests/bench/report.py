"""What a reader sees of the figures: tables, a plot, and the table of docs/performance.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
START, END = "<!-- build.py bench --update-docs -->\n", "<!-- end -->\n"

ROWS = {
    ("web", "one query"): "browser, one query",
    ("web", "mixed corpus"): "browser, 256 texts of 4 to 200 words",
    ("web", "one list"): "browser, 64 such texts",
    ("web", "long texts"): "browser, 64 texts of 400 words",
    ("start", "cold"): "browser, page to first vector, first visit",
    ("start", "warm"): "browser, page to first vector, second visit",
    ("native", "one query"): "CPython, one query",
    ("native", "mixed corpus"): "CPython, 256 texts of 4 to 200 words",
    ("native", "one list"): "CPython, 64 such texts",
    ("native", "long texts"): "CPython, 64 texts of 400 words",
}


def show(title: str, figures: dict[str, Any], indent: str = "") -> None:
    """Print what a reader looks for."""
    print(f"{indent}{title}")
    for name, value in figures.items():
        if isinstance(value, dict) and "seconds" in value:
            ratio = f"{value['ratio']:.2f}"
            print(f"{indent}  {name:35} {value['seconds']:8.3f} s   x {ratio}")
        elif isinstance(value, dict):
            show(name, value, indent + "  ")
        elif isinstance(value, float):
            print(f"{indent}  {name:35} {value:8.3f}")
        else:
            print(f"{indent}  {name:35} {value}")
    sys.stdout.flush()


def update_page(figures: dict[str, Any]) -> None:
    """Write the performance table, and what it was measured on.

    Raises:
        ValueError: the page has no place for it.
    """
    text = PAGE.read_text(encoding="utf-8")
    found, where = figures["environment"], f"{re.escape(START)}.*?{re.escape(END)}"
    if not re.search(where, text, flags=re.DOTALL):
        raise ValueError(f"{PAGE} has no {START.strip()} ... {END.strip()}")
    measured = (
        f"{found['machine']}, {found['cores']} cores, {found['model']} fp32; CPython "
        f"{found['python']}, onnxruntime {found['onnxruntime']}, fastembed {found['fastembed']}, "
        f"sentence-transformers {found['sentence-transformers']}, torch {found['torch']}; headless "
        f"Chromium {found['chromium']}, Transformers.js {found['Transformers.js']} (WASM)"
    )
    lines = ["| | twinvec | times that of twinvec |", "|---|---|---|", *_rows(figures)]
    block = START + "\n".join(lines) + f"\n\nMedians of interleaved runs. {measured}.\n" + END
    PAGE.write_text(re.sub(where, lambda _: block, text, flags=re.DOTALL), encoding="utf-8")


def _rows(figures: dict[str, Any]) -> Iterator[str]:
    for (part, workload), title in ROWS.items():
        if compared := dict(figures.get(part, {}).get(workload, {})):
            own = compared.pop("twinvec")["seconds"]
            took = f"{own:.2f} s" if own >= 1 else f"{1000 * own:.0f} ms"
            others = "; ".join(f"{name} {one['ratio']:.2f}" for name, one in compared.items())
            yield f"| {title} | {took} | {others} |"


def plot(figures: dict[str, Any], file: Path) -> None:
    """Draw every comparison's ratios as bars: how many times twinvec's time a peer takes."""
    import matplotlib.pyplot as plt

    compared = [
        (title, figures[part][workload])
        for (part, workload), title in ROWS.items()
        if workload in figures.get(part, {})
    ]
    if not compared:
        raise ValueError("--plot needs one of the parts web, start and native")
    figure, every = plt.subplots(len(compared), figsize=(8, 1.7 * len(compared)), squeeze=False)
    for axes, (title, contenders) in zip(every.flat, compared, strict=True):
        names = list(contenders)[::-1]
        ratios = [contenders[name]["ratio"] for name in names]
        colours = ["tab:blue" if name == "twinvec" else "tab:gray" for name in names]
        bars = axes.barh(names, ratios, color=colours)
        axes.bar_label(bars, fmt="%.2f", padding=3)
        axes.set_title(title, loc="left", fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.12)
    every.flat[-1].set_xlabel("time, as a multiple of twinvec's (longer bars are slower)")
    figure.tight_layout()
    figure.savefig(file)
    print(f"{file} is drawn.")
