"""What build.py writes into the README."""

from __future__ import annotations

import runpy
from typing import Any

from conftest import ROOT

BUILD = runpy.run_path(str(ROOT / "build.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


STORED = "int8, computed in integers and float32"
Q8 = f"| `q8` | {STORED} | exact | 23.7 MB | 0.5000000 | 2.0e-02 | 28% |"


def row(**facts: Any) -> dict[str, Any]:
    """Return a dtype of a certificate."""
    usual = {"parity": "exact", "bytes": 23_700_000, "cosine_to_fp32": 0.5, "same_top_10": 1.0}
    return {**usual, "max_delta": 3e-7, **facts}


def test_the_figures_of_a_certificate_replace_those_of_the_table() -> None:
    text = BUILD["with_figures"](
        README, {"dtypes": {"w8": row(), "q8": row(same_top_10=0.284, max_delta=0.02)}}
    )
    before, after = README.splitlines(), text.splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        "| `w8` | int8, computed in float32 | exact | 23.7 MB | 0.5000000 | 3.0e-07 | 100% |",
        Q8,
    ]


def test_a_certificate_of_other_dtypes_changes_nothing() -> None:
    assert BUILD["with_figures"](README, {"dtypes": {"q4": row()}}) == README
