"""The page of a certificate, as a visitor opens it in any browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conftest import serving
from twinvec.certify.engines import Engine
from twinvec.certify.page import write_page
from twinvec.certify.texts import Sample

pytestmark = pytest.mark.browser

SAMPLE = Sample([f"word{n} word{n + 7} other" for n in range(12)], ["word1 word8", "word30"])

VERDICT = """async (dtype) => {
  const start = document.querySelector("#start");
  while (start.disabled) await new Promise((resolve) => setTimeout(resolve, 50));
  document.querySelector("#dtype").value = dtype;
  start.click();
  const [output, status] = ["#verdict", "#status"].map((name) => document.querySelector(name));
  while (!["Done.", "Failed."].includes(status.textContent)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  status.textContent = "";
  return output.textContent;
}"""


@pytest.fixture
def page_folder(tiny_site: Path, tmp_path: Path) -> Path:
    write_page(tiny_site, tmp_path / "certify", SAMPLE)
    return tmp_path / "certify"


@pytest.fixture
def address(tiny_site: Path, page_folder: Path) -> Iterator[str]:
    for path in tiny_site.iterdir():
        (page_folder.parent / path.name).symlink_to(path)
    with serving(page_folder.parent) as root:
        yield f"{root}certify/index.html"


def test_a_browser_that_agrees_gets_a_verdict(engine: Engine, address: str) -> None:
    engine.open(address)
    for dtype in ("fp32", "w8"):
        lines = engine.evaluate(VERDICT, dtype).splitlines()
        assert lines[0] == "SAME VECTORS"
        assert f", {dtype} (exact)" in lines[1]
        assert "texts: 12, with other token ids: 0" in lines
        assert "same order of search results: yes" in lines
        assert any(line.startswith("recorded by: CPython 3.") for line in lines)
    picture = engine.screenshot()
    assert picture.startswith(b"\x89PNG")


def test_a_difference_is_in_the_verdict(engine: Engine, address: str, page_folder: Path) -> None:
    file = page_folder / "record.json"
    recorded = json.loads(file.read_text(encoding="utf-8"))
    expected = recorded["dtypes"]["w8"]
    vectors = np.frombuffer(base64.b64decode(expected["vectors"]), np.float32).copy()
    vectors[7] += np.float32(1e-4)
    expected["vectors"] = base64.b64encode(vectors.tobytes()).decode()
    expected["ids"][2] = [1]
    expected["fingerprint"]["dim"] = 7
    expected["hits"]["lexical"][0].reverse()
    file.write_text(json.dumps(recorded), encoding="utf-8")
    engine.open(address)
    first = engine.evaluate(VERDICT, "w8").splitlines()[0]
    assert first.startswith("DIFFERENT: 1 texts have other token ids; vectors differ by 1.0e-4, ")
    assert "the fingerprint differs; a search finds another order" in first
