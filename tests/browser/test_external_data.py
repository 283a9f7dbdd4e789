"""Weights outside the ONNX file: the same vectors, in the browser and natively, as inside it."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import convert_model_to_external_data
from playwright.sync_api import Browser

from conftest import hooked_worker, open_tab, serving
from texts import prose
from twinvec import Embedder
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import EMBEDDED
from twinvec.site.build import build_site

pytestmark = pytest.mark.browser

BOUND = 5e-7  # as in test_parity.py
PARTS = ["onnx/model.onnx", "onnx/model.onnx_data", "onnx/model.onnx_data_1"]


@pytest.fixture(scope="module")
def inside() -> Path:
    folder, _ = find_model(EMBEDDED.name, dtype="fp32", local_files_only=True)
    return folder


@pytest.fixture(scope="module")
def outside(inside: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a copy that has its weights in two files of external data."""
    folder = tmp_path_factory.mktemp("outside") / "external"
    shutil.copytree(inside, folder, ignore=shutil.ignore_patterns("onnx", "SHA256SUMS"))
    graph = onnx.load(inside / "onnx" / "model.onnx")
    convert_model_to_external_data(graph, location="model.onnx_data", size_threshold=1024)
    moved = [tensor for tensor in graph.graph.initializer if "layer.5" in tensor.name]
    for entry in (entry for tensor in moved for entry in tensor.external_data):
        if entry.key == "location":
            entry.value = "model.onnx_data_1"
    (folder / "onnx").mkdir()
    onnx.save(graph, folder / "onnx" / "model.onnx")
    small, large, more = [(folder / part).stat().st_size for part in PARTS]
    assert small < 100_000 < more < large
    return folder


def test_vectors_are_the_same(
    browser: Browser, inside: Path, outside: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts = prose(40, seed=3, shortest=1, longest=300)
    plain = Embedder.from_pretrained(inside)
    expected = plain.encode(texts)
    plain.close()

    site = tmp_path_factory.mktemp("site")
    native, _ = build_site(site, outside)
    assert np.array_equal(native.encode(texts), expected)
    assert native.fingerprint["weights_sha256"] != plain.fingerprint["weights_sha256"]
    manifest: dict[str, Any] = json.loads((site / "models" / "manifest.json").read_text("utf-8"))
    (model,) = manifest["models"]
    assert model["weights"] == {"fp32": PARTS[0]}
    assert [path for path in model["files"] if path.startswith("onnx/")] == PARTS

    for path, text in hooked_worker(site).items():
        (site / path).write_text(text, encoding="utf-8")
    with serving(site) as address:
        tab = open_tab(browser, address)
        dims, data = tab.encode(texts)
        source = """
from twinvec import Embedder
async def body():
    return Embedder.from_pretrained().fingerprint
"""
        assert tab.python(source) == native.fingerprint
        tab.page.context.close()
    native.close()
    vectors = np.frombuffer(base64.b64decode(data), np.float32).reshape(dims)
    difference = float(np.max(np.abs(vectors - expected)))
    print(f"max |difference| {difference:.3g}, {len(texts)} texts")
    assert difference <= BOUND
