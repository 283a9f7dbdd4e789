"""The report as HTML: whole, escaped, with plots."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from twinvec.certify.html import position, render

RUN: dict[str, Any] = {
    "engine": "webkit",
    "dtype": "w8",
    "sessions": 1,
    "several_sessions": False,
    "isolated": False,
    "jspi": False,
    "texts": 3,
    "token_differences": 0,
    "max_delta": 2e-7,
    "deltas": [0.0, 1e-8, 2e-7],
    "min_cosine": 1.0,
    "max_score_delta": 1e-7,
    "versions": {"pyodide": "314.0.3"},
    "seconds": 4.5,
    "failures": [],
}
CERTIFICATE: dict[str, Any] = {
    "created": "2026-11-24T00:00:00+00:00",
    "native": {"CPython": "3.14"},
    "model": "a<b>",
    "revision": None,
    "tokenizer_sha256": "abc",
    "engines": {"webkit": "WebKitGTK 2.50"},
    "dtypes": {
        "w8": {
            "parity": "exact",
            "bound": 5e-7,
            "weights_sha256": "def",
            "bytes": 5_000_000,
            "cosine_to_fp32": None,
            "max_delta": 2e-7,
            "same_top_10": 1.0,
            "same_bits": True,
        }
    },
    "runs": [
        RUN,
        {key: RUN[key] for key in ("engine", "dtype", "isolated", "jspi", "seconds")}
        | {"failures": ["<script>"]},
    ],
    "tokens": [{"engine": "webkit", "strings": 20_000, "failures": []}],
    "failures": [],
}


class Tags(HTMLParser):
    """Checks that tags are closed in order."""

    VOID = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, _: Any) -> None:
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_escaped() -> None:
    html = render(CERTIFICATE)
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert "script" not in tags.seen
    assert tags.seen.count("svg") == 1
    for part in (
        "passed",
        "a&lt;b&gt;",
        "&lt;script&gt;",
        "2.0e-07",
        "20,000",
        "5.0 MB",
        "314.0.3",
    ):
        assert part in html


def test_a_failure_is_shown() -> None:
    html = render({**CERTIFICATE, "failures": ["webkit, w8: other ids"]})
    assert '<span class="failed">failed</span>' in html
    assert "<li>webkit, w8: other ids</li>" in html


@pytest.mark.parametrize("smaller", [0, 1e-12, 1e-9])
def test_the_axis_is_logarithmic(smaller: float) -> None:
    assert position(smaller) == position(1e-9) < position(1e-7) < position(1) == position(7)
