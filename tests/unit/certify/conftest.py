"""Fixtures: a site of a tiny model, and CPython's results over it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from synthetic import write_tiny
from twinvec.certify.page import write_page
from twinvec.certify.record import NativeResults
from twinvec.certify.texts import Sample
from twinvec.convert.folder import convert_folder
from twinvec.site.build import build_site

DTYPES = ("fp32", "w8a8", "q8")
SAMPLE = Sample([f"word{n} word{n + 7} word{2 * n}" for n in range(15)], ["word1 word8", "word30"])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of the tiny model in three dtypes."""
    folder = tmp_path_factory.mktemp("certify")
    model = convert_folder(write_tiny(folder / "source"), folder / "tiny", DTYPES)
    build_site(folder / "site", model, dtypes=DTYPES)[0].close()
    return folder / "site"


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the page."""
    return tmp_path_factory.mktemp("page") / "certify"


@pytest.fixture(scope="session")
def natives(site: Path, page_folder: Path) -> list[NativeResults]:
    """CPython's results, which are written into the page."""
    return write_page(site, page_folder, SAMPLE)


@pytest.fixture(scope="session")
def sample() -> Sample:
    """The texts and queries of the results."""
    return SAMPLE


@pytest.fixture
def native(natives: list[NativeResults]) -> NativeResults:
    """The results in fp32."""
    return natives[0]


@pytest.fixture
def measured(native: NativeResults) -> dict[str, Any]:
    """The results of a browser that agrees with CPython in fp32."""
    return {
        "versions": {
            "fingerprint": dict(native.fingerprint),
            "deviation": 0.0,
            "sessions": 1,
            "python": "3",
            "pyodide": "1",
            "onnxruntime": "1",
        },
        "vectors": base64.b64encode(native.vectors.tobytes()).decode(),
        "ids": native.ids,
        "invariant": True,
        "hits": {
            mode: [[list(hit) for hit in hits] for hits in lists]
            for mode, lists in native.hits.items()
        },
    }
