from __future__ import annotations

import _imp
import zipfile
from pathlib import Path

import pytest

from conftest import DIST
from demo.python_docs import index_stdlib
from synthetic import write_tiny
from twinvec import (
    Embedder,
    Index,
    IndexFormatError,
    IndexMismatchError,
    IntegrityError,
    TwinvecError,
)
from twinvec.convert.folder import convert_folder
from twinvec.model.info import ModelInfo
from twinvec.site.build import SAMPLE_TEXTS, WEB, build_site, sizes
from twinvec.site.bytecode import twinvec_sources
from twinvec.site.compress import brotli_of


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "models" / "mine" / "weights.bin"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"precious")
    with pytest.raises(TwinvecError, match="models is there and not twinvec's"):
        build_site(tmp_path)
    assert theirs.read_bytes() == b"precious"


def test_a_script_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sw.js").write_text("mine", encoding="utf-8")
    with pytest.raises(TwinvecError, match=r"sw\.js is there and not twinvec's"):
        build_site(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["sw.js"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return convert_folder(write_tiny(folder / "source"), folder / "made", ["fp32", "w8", "q8"])


def test_an_index_of_ones_own_is_kept(tmp_path: Path, model: Path) -> None:
    embedder = Embedder.from_pretrained(model)
    Index.build(["mine"], embedder).save(tmp_path / "index")
    embedder.close()
    for _ in range(2):
        embedder, index = build_site(tmp_path, model)
        kept = Index.load(tmp_path / "index").documents()
        assert [one.text for one in kept] == [one.text for one in index.documents()] == ["mine"]
        embedder.close()
    with pytest.raises(IndexMismatchError, match="weights_sha256"):
        build_site(tmp_path, model, dtypes=["q8"])
    weights = [file.name for file in (tmp_path / "models").rglob("*.onnx")]
    assert weights == ["model.onnx"]  # refused before anything is written


def test_an_index_takes_the_place_of_the_one_there(tmp_path: Path, model: Path) -> None:
    embedder = Embedder.from_pretrained(model)
    Index.build(["mine"], embedder).save(tmp_path / "mine")
    Index.build(["old"], embedder).save(tmp_path / "out" / "index")
    embedder.close()
    for index in (tmp_path / "mine", tmp_path / "out" / "index"):
        embedder, found = build_site(tmp_path / "out", model, index=index)
        embedder.close()
        assert [one.text for one in found.documents()] == ["mine"]
        copied = {file.name for file in (tmp_path / "out" / "index").iterdir()}
        assert copied == {file.name for file in (tmp_path / "mine").iterdir()}


def test_an_index_of_other_weights_is_refused_beforehand(tmp_path: Path, model: Path) -> None:
    embedder = Embedder.from_pretrained(model)
    Index.build(["mine"], embedder).save(tmp_path / "mine")
    embedder.close()
    with pytest.raises(IndexMismatchError, match="weights_sha256"):
        build_site(tmp_path / "out", model, dtypes=["q8"], index=tmp_path / "mine")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["[]", None])
def test_an_index_of_another_program_is_left_alone(
    tmp_path: Path, model: Path, content: str | None
) -> None:
    embedder = Embedder.from_pretrained(model)
    Index.build(["mine"], embedder).save(tmp_path / "mine")
    embedder.close()
    theirs = tmp_path / "out" / "index" / ("index.json" if content else "page.html")
    theirs.parent.mkdir(parents=True)
    theirs.write_text(content or "", encoding="utf-8")
    for index in (None, tmp_path / "mine"):
        with pytest.raises(IndexFormatError, match=r"not that of an index|not empty and not"):
            build_site(tmp_path / "out", model, index=index)
    with pytest.raises(IndexFormatError):
        index_stdlib(theirs.parent, embedder)
    assert [one for one in (tmp_path / "out").rglob("*") if one.is_file()] == [theirs]


def test_the_sample_index_is_made_again(tmp_path: Path, model: Path) -> None:
    for dtypes in (["fp32"], ["w8", "fp32"]):
        embedder, index = build_site(tmp_path, model, dtypes=dtypes)
        assert [document.text for document in index.documents()] == SAMPLE_TEXTS
        Index.load(tmp_path / "index").check(embedder)
        embedder.close()


def test_a_stand_in_stands_in_for_every_dtype(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the first is found, or not, the others must not come from another model."""
    asked = []

    def find_model(name: str | Path | None, *, dtype: str) -> tuple[Path, ModelInfo]:
        asked.append(name)
        return model, ModelInfo.from_folder(model, dtype)

    monkeypatch.chdir(model.parent)
    monkeypatch.setattr("twinvec.site.build.find_model", find_model)
    embedder, _ = build_site(tmp_path, dtypes=["fp32", "w8", "q8"])
    embedder.close()
    assert asked == [None, model.name, model.name]


def test_without_the_browser_side_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TwinvecError, match=r"python build\.py"):
        build_site(tmp_path / "out", web=tmp_path / "nothing")


@pytest.mark.parametrize("altered", [True, False])
def test_npm_files_are_verified(tmp_path: Path, *, altered: bool) -> None:
    web, name = tmp_path / "web", "node_modules/pyodide/pyodide.mjs"
    if altered:
        (web / name).parent.mkdir(parents=True)
        (web / name).write_bytes((WEB / name).read_bytes() + b" ")
    web.mkdir(exist_ok=True)
    kind = IntegrityError if altered else TwinvecError
    with pytest.raises(kind, match=r"pyodide\.mjs.*npm ci"):
        build_site(tmp_path / "out", "sentence-transformers/all-MiniLM-L6-v2", web=web)
    assert not (tmp_path / "out/runtime/pyodide/pyodide.mjs").exists()


def test_the_package_in_dist_is_this_one() -> None:
    """By the hash of its source : what the browser tests test is what is here."""
    with zipfile.ZipFile(DIST / "runtime" / "twinvec.zip") as archive:
        packed = {name: archive.read(name)[:16] for name in archive.namelist()}
    sources = twinvec_sources()
    assert set(packed) == {f"{name}c" for name in sources}
    for name, source in sources.items():
        header = packed[f"{name}c"]
        magic = int.from_bytes(header[:4], "little")
        assert header[4:8] == b"\1\0\0\0", name  # hash-based, unchecked
        assert header[8:] == _imp.source_hash(magic, source), name


def test_what_is_large_has_a_brotli_twin() -> None:
    large = [file for file in (DIST / "runtime").rglob("*") if file.stat().st_size > 50_000]
    sources = [file for file in large if file.is_file() and file.suffix != ".br"]
    assert len(sources) >= 8
    for file in sources:
        assert 0 < brotli_of(file).stat().st_size < file.stat().st_size


def test_the_fixed_part_stays_small() -> None:
    """Everything but the model."""
    parts = sizes(DIST)
    fixed = {part: sent for part, (_, sent) in parts.items() if part not in ("model", "index")}
    assert all(fixed.values())
    assert sum(fixed.values()) <= 9_000_000, fixed
