"""A name leads to one model, or to an error that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_hub import MODEL_FILES, PINNED, Hub
from synthetic import write_tiny
from twinvec import Embedder
from twinvec.catalog import find
from twinvec.catalog.find import find_dtype, find_model
from twinvec.catalog.pins import DEFAULT, EMBEDDED
from twinvec.convert.folder import convert_folder
from twinvec.errors import DownloadError, IntegrityError, ModelNotFoundError

PAGE = b"<html>"


@pytest.mark.parametrize("name", ["owner/tiny", "owner/unpinned", EMBEDDED.name])
def test_local_files_only_asks_nobody(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("pip was started"))
    with pytest.raises(DownloadError, match=f"{name} is not in the cache"):
        find_model(name, dtype="fp32", local_files_only=True, cache_dir=tmp_path)
    assert hub.requests == []


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("name", [DEFAULT.name, "owner/unpinned"])
def test_a_hub_out_of_reach_is_a_download_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DownloadError, match="cannot be reached") as caught:
        find_model(name, dtype="fp32", cache_dir=tmp_path)
    assert not isinstance(caught.value, IntegrityError)


@pytest.mark.usefixtures("no_hub")
def test_the_embedded_model_stands_in_with_one_warning(tmp_path: Path) -> None:
    real, _ = find_model(EMBEDDED.name, dtype="fp32")
    stand_in = tmp_path / "models" / EMBEDDED.name / real.name
    stand_in.parent.mkdir(parents=True)
    stand_in.symlink_to(real, target_is_directory=True)
    with pytest.warns(UserWarning, match="instead of") as caught:
        folder, info = find_model(None, dtype="fp32", cache_dir=tmp_path)
    assert len(caught) == 1
    assert all(name in str(caught[0].message) for name in (DEFAULT.name, EMBEDDED.name))
    assert caught[0].filename == __file__, "the warning names the line that called twinvec"
    assert folder == stand_in
    assert (info.name, info.dim, info.max_length) == (EMBEDDED.name, 384, 256)
    with pytest.warns(UserWarning, match="instead of") as caught:
        Embedder.from_pretrained(cache_dir=tmp_path).close()
    assert caught[0].filename == __file__


def test_altered_bytes_never_lead_to_the_stand_in(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "DEFAULT", PINNED)
    hub.files["onnx/model.onnx"] = PAGE
    with pytest.raises(IntegrityError, match=r"onnx/model\.onnx"):
        find_model(None, dtype="fp32", cache_dir=tmp_path)


def test_a_local_folder_without_hashes_is_opened(tmp_path: Path) -> None:
    for path, content in MODEL_FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    for location in (tmp_path, str(tmp_path)):
        folder, info = find_model(location, dtype="fp32")
        assert (folder, info.name, info.revision) == (tmp_path, tmp_path.name, None)


BAD_NAMES = ["bge-small", "a/b/c", "./a", "../a", "/a", "~/a", "a/", "a b/c", "a/b--c", Path("a/b")]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_a_bad_name_is_refused_without_a_request(
    hub: Hub, tmp_path: Path, name: str | Path
) -> None:
    with pytest.raises(ModelNotFoundError, match=str(name)):
        find_model(name, dtype="fp32", cache_dir=tmp_path)
    assert hub.requests == []


def test_a_dtype_is_refused_without_a_request(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown dtype 'fp8'"):
        find_model("owner/tiny", dtype="fp8", cache_dir=tmp_path)
    with pytest.raises(ModelNotFoundError, match="has dtype fp32, fp16, q8, w8, w16, w8a8, not q4"):
        find_model("owner/tiny", dtype="q4", cache_dir=tmp_path)
    with pytest.raises(ModelNotFoundError, match="has dtype fp32, q8, w8, w16, w8a8, not q4"):
        find_model(EMBEDDED.name, dtype="q4", cache_dir=tmp_path)
    assert hub.requests == []


def test_a_fingerprint_leads_to_the_dtype_of_its_weights(tmp_path: Path) -> None:
    dtypes = ["fp32", "w8a8", "q8"]
    folder = convert_folder(write_tiny(tmp_path / "source"), tmp_path / "made", dtypes)
    for dtype in dtypes:
        embedder = Embedder.from_pretrained(folder, dtype=dtype)
        assert find_dtype(embedder.fingerprint, str(folder)) == dtype
        embedder.close()


def test_a_fingerprint_of_other_weights_is_answered_with_the_way_out(tmp_path: Path) -> None:
    folder = convert_folder(write_tiny(tmp_path / "source"), tmp_path / "made")
    embedder = Embedder.from_pretrained(folder)
    embedder.close()
    fingerprint = embedder.fingerprint
    with pytest.raises(ModelNotFoundError, match=r"no weights of made .* name the folder or model"):
        find_dtype(fingerprint)
    other = fingerprint | {"weights_sha256": "0" * 64}
    with pytest.raises(ModelNotFoundError, match=r"match the fingerprint .*0000"):
        find_dtype(other, str(folder))
