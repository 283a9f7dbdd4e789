from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import ROOT
from synthetic import write_tiny
from twinvec import (
    Embedder,
    Index,
    IndexFormatError,
    IndexMismatchError,
    TwinvecError,
)
from twinvec.convert.folder import convert_folder
from twinvec.download import cache_root, sha256_of
from twinvec.site.build import SITE_MARK, WEB, build_site, is_site
from twinvec.site.sample import SAMPLE_TEXTS


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "models" / "mine" / "weights.bin"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"precious")
    with pytest.raises(TwinvecError, match="models exists and was not written by twinvec"):
        build_site(tmp_path)
    assert theirs.read_bytes() == b"precious"


def test_a_script_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sw.js").write_text("mine", encoding="utf-8")
    with pytest.raises(TwinvecError, match=r"sw\.js exists and was not written by twinvec"):
        build_site(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["sw.js"]


def test_workers_of_others_are_left_alone_in_an_older_site(tmp_path: Path) -> None:
    """Sites of earlier versions have the mark but no `workers` folder of their own."""
    for name in (SITE_MARK, "workers/mine.js"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(TwinvecError, match=r"mine\.js exists and was not written by twinvec"):
        build_site(tmp_path)


def test_only_stale_files_in_twinvecs_own_folders_are_deleted(tmp_path: Path, model: Path) -> None:
    build_site(tmp_path, model)[0].close()
    assert is_site(tmp_path)
    theirs = [tmp_path / "index.html", tmp_path / "worker.js"]
    stale = [tmp_path / "runtime" / "old.mjs", tmp_path / "models" / "old" / "model.onnx"]
    for file in (*theirs, *stale):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    build_site(tmp_path, model)[0].close()
    assert [file for file in (*theirs, *stale) if file.exists()] == theirs


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
        with pytest.raises(IndexFormatError, match=r"twinvec did not write it|is not empty"):
            build_site(tmp_path / "out", model, index=index)
    assert [one for one in (tmp_path / "out").rglob("*") if one.is_file()] == [theirs]


def test_the_sample_index_is_made_again(tmp_path: Path, model: Path) -> None:
    for dtypes in (["fp32"], ["w8", "fp32"]):
        embedder, index = build_site(tmp_path, model, dtypes=dtypes)
        assert [document.text for document in index.documents()] == SAMPLE_TEXTS
        Index.load(tmp_path / "index").check(embedder)
        embedder.close()


def test_without_the_browser_side_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TwinvecError, match=r"python build\.py"):
        build_site(tmp_path / "out", web=tmp_path / "nothing")


WRITE_SITE = """
import sys
from pathlib import Path
from twinvec.site.build import WEB
from twinvec.site.compress import write_compressed
from twinvec.site.packages import write_runtime
from twinvec.site.scripts import write_scripts

out = Path(sys.argv[1])
assert WEB.is_relative_to(out.parent), WEB
list(write_runtime(out, WEB, webgpu=False))
write_scripts(out, WEB)
write_compressed([out / "runtime" / "twinvec.zip"], WEB)
"""
"""Write all but the model, the licenses and the Brotli files that take minutes."""


def write_from_copy(checkout: Path, seconds: int, zone: str) -> dict[str, str]:
    """Build from a copy of the sources with a cache of its own; return path -> SHA-256.

    Args:
        checkout: folder to create.
        seconds: time of the copied files.
        zone: time zone.
    """
    shutil.copytree(ROOT / "py", checkout / "py")
    shutil.copytree(ROOT / "web", checkout / "web", ignore=shutil.ignore_patterns("node_modules"))
    for file in checkout.rglob("*"):
        os.utime(file, (seconds, seconds))
    (checkout / "web" / "node_modules").symlink_to((WEB / "node_modules").resolve())
    downloads = checkout / "cache" / "downloads"
    downloads.parent.mkdir()
    downloads.symlink_to(cache_root() / "downloads")
    environment = {
        **os.environ,
        "PYTHONPATH": str(checkout / "py"),
        "TWINVEC_CACHE": str(checkout / "cache"),
        "TZ": zone,
    }
    out = checkout / "site"
    subprocess.run([sys.executable, "-c", WRITE_SITE, out], env=environment, check=True)
    files = sorted(file for file in out.rglob("*") if file.is_file())
    return {file.relative_to(out).as_posix(): sha256_of(file) for file in files}


def test_two_checkouts_give_the_same_bytes(tmp_path: Path) -> None:
    checkouts = tmp_path / "a", tmp_path / "other" / "folder"
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(
            write_from_copy, checkouts, (1_000_000_000, 1_700_000_001), ("UTC", "Asia/Tokyo")
        )
    assert first == second
    assert {"runtime/twinvec.zip.br", "runtime/numpy.zip", "workers/python.js"} < set(first)
