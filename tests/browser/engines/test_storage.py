"""Storage in all engines: indexes that stay, visits without a connection, damaged files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conftest import TEST_PAGE, link_folder, serving
from twinvec import Embedder, Index
from twinvec.certify.engines import Engine
from twinvec.errors import EngineError

pytestmark = pytest.mark.browser

TEXTS = ["word1 word2", "word3 word4 word5", "word6"]

BOX_PAGE = """<!doctype html>
<meta charset="utf-8" />
<title>box</title>
<script type="module" src="twinvec-search.js"></script>
<twinvec-search inline offline index="index/"></twinvec-search>
"""
SAVE = """async (texts) => {
  await opened;
  const index = await extractor.createIndex();
  await index.add(texts);
  await index.save("zoo");
  return twinvec.listStored();
}"""
SEARCH_STORED = """async () => {
  await opened;
  const index = await extractor.openIndex({ stored: "zoo" });
  const hits = await index.search("word3", { mode: "hybrid" });
  return [index.size, hits.map(({ text, score }) => [text, score])];
}"""
ASK = """async (query) => {
  await customElements.whenDefined("twinvec-search");
  const root = document.querySelector("twinvec-search").shadowRoot;
  const input = root.querySelector("input");
  input.focus();
  input.value = query;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  for (let i = 0; i < 600; i++) {
    const options = root.querySelectorAll("[role=option]");
    if (options.length) return Array.from(options, (option) => option.textContent);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(root.textContent);
}"""
IS_KEPT = """async () => {
  for (let i = 0; i < 600; i++) {
    const names = ["twinvec", "twinvec-site"];
    const caches_ = await Promise.all(names.map((name) => caches.open(name)));
    const keys = (await Promise.all(caches_.map((cache) => cache.keys()))).flat();
    const parts = [".onnx", "documents-", "postings-", "index.json", "session.js", "asm.wasm"];
    if (parts.every((part) => keys.some(({ url }) => url.includes(part)))) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}"""


def test_an_index_stays_when_the_browser_is_closed(
    engine_name: str, tiny_site: Path, tmp_path: Path
) -> None:
    link_folder(tiny_site, tmp_path / "served")
    (tmp_path / "served" / "test.html").write_text(TEST_PAGE, encoding="utf-8")
    with serving(tmp_path / "served") as root:
        with Engine(engine_name, profile=tmp_path / "profile") as engine:
            engine.open(f"{root}test.html")
            (stored,) = engine.evaluate(SAVE, TEXTS)
            assert (stored["name"], stored["size"]) == ("zoo", 3)
        with Engine(engine_name, profile=tmp_path / "profile") as engine:
            engine.open(f"{root}test.html")
            size, hits = engine.evaluate(SEARCH_STORED)
    (model,) = (path for path in (tiny_site / "models").iterdir() if path.is_dir())
    embedder = Embedder.from_pretrained(model)
    natively = Index.build(TEXTS, embedder).search("word3", embedder, mode="hybrid")
    embedder.close()
    assert size == 3
    assert [text for text, _ in hits] == [hit.text for hit in natively]
    assert [score for _, score in hits] == pytest.approx([hit.score for hit in natively], abs=1e-6)


def test_a_second_visit_needs_no_connection(
    engine: Engine, tiny_site: Path, tmp_path: Path
) -> None:
    link_folder(tiny_site, tmp_path / "served")
    (tmp_path / "served" / "box.html").write_text(BOX_PAGE, encoding="utf-8")
    with serving(tmp_path / "served") as root:
        engine.open(f"{root}box.html")
        first = engine.evaluate(ASK, "word1")
        assert engine.evaluate(IS_KEPT)
    engine.open(f"{root}box.html")  # the server has ended
    assert engine.evaluate("() => performance.getEntriesByType('navigation').length") == 1
    assert engine.evaluate(ASK, "word1") == first
    assert engine.evaluate(ASK, "panda")


@pytest.mark.parametrize("damage", ["weights", "shard", "tokenizer"])
def test_a_damaged_file_is_named(
    engine: Engine, tiny_site: Path, tmp_path: Path, damage: str
) -> None:
    site = tmp_path / "served"
    shutil.copytree(tiny_site, site)
    (site / "test.html").write_text(TEST_PAGE, encoding="utf-8")
    pattern = {"weights": "*.onnx", "shard": "vectors-*", "tokenizer": "tokenizer.json"}[damage]
    for file in site.rglob(pattern):
        content = bytearray(file.read_bytes())
        content[-3] ^= 1
        file.write_bytes(content)
    for file in site.rglob("*.br"):
        file.unlink()
    with serving(site) as root:
        engine.open(f"{root}test.html")
        with pytest.raises(EngineError, match=r"IntegrityError: .*" + pattern.strip("*-")):
            engine.evaluate('async () => { await opened; await extractor.openIndex("index/"); }')
