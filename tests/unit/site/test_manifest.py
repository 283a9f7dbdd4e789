"""The manifest of a site: complete, and compared file by file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import DIST
from synthetic import write_tiny
from twinvec import TwinvecError
from twinvec.convert.folder import convert_folder
from twinvec.download import sha256_of
from twinvec.site.build import build_site
from twinvec.site.components import Component
from twinvec.site.manifest import SITE_MANIFEST, compare_site, read_manifest, write_manifest


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return convert_folder(write_tiny(folder / "source"), folder / "made", ["fp32"])


def paths_in(site: Path) -> set[str]:
    """The files that twinvec wrote: all but the index of the site's owner."""
    files = {file.relative_to(site).as_posix() for file in site.rglob("*") if file.is_file()}
    return {path for path in files if not path.startswith("index/")} - {SITE_MANIFEST}


def check_complete(site: Path) -> None:
    listed = read_manifest(site)
    assert set(listed.files) == paths_in(site)
    for path, facts in listed.files.items():
        assert facts["bytes"] == (site / path).stat().st_size
        assert facts["sha256"] == sha256_of(site / path)
        component = listed.components[facts["component"]]
        assert component.origin.startswith("pkg:")
        assert component.license
    assert {facts["component"] for facts in listed.files.values()} == set(listed.components)
    texts = {component.license_text for component in listed.components.values()} - {""}
    assert texts <= set(listed.files)


def test_every_shipped_file_is_listed(tmp_path: Path, model: Path) -> None:
    build_site(tmp_path, model)[0].close()
    check_complete(tmp_path)
    before = (tmp_path / SITE_MANIFEST).stat().st_mtime_ns
    build_site(tmp_path, model)[0].close()
    assert (tmp_path / SITE_MANIFEST).stat().st_mtime_ns == before


def test_every_file_of_the_demo_is_listed() -> None:
    check_complete(DIST)
    listed = read_manifest(DIST)
    assert listed.files["search/index.json"]["component"] == "python-documentation"


@pytest.mark.parametrize("content", ['{"name": "An app", "icons": []}', ""])
def test_the_manifest_of_a_web_application_is_left_alone(
    tmp_path: Path, model: Path, content: str
) -> None:
    (tmp_path / SITE_MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(TwinvecError, match=r"manifest\.json exists and was not written by twinvec"):
        build_site(tmp_path, model)
    assert (tmp_path / SITE_MANIFEST).read_text(encoding="utf-8") == content


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Three files, listed."""
    for path in ("a.js", "runtime/b.zip", "models/c.onnx"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(path, encoding="utf-8")
    files = dict.fromkeys(("a.js", "runtime/b.zip", "models/c.onnx"), "x")
    write_manifest(tmp_path, files, {"x": Component("1", "pkg:generic/x@1", "MIT")})
    return tmp_path


def test_a_whole_site_has_no_differences(site: Path) -> None:
    (site / "page.html").write_text("the owner's", encoding="utf-8")
    assert list(compare_site(site)) == []


def test_each_difference_is_named(site: Path) -> None:
    (site / "a.js").unlink()
    (site / "runtime" / "b.zip").write_text("runtime/B.zip", encoding="utf-8")
    (site / "models" / "c.onnx").write_text("cut", encoding="utf-8")
    (site / "models" / "extra.onnx").write_text("more", encoding="utf-8")
    problems = dict(compare_site(site))
    assert problems["a.js"] == "missing"
    assert problems["runtime/b.zip"].startswith("altered: expected SHA-256")
    assert problems["models/c.onnx"] == "altered: expected 13 bytes, found 3"
    assert problems["models/extra.onnx"] == "not listed"
    assert len(problems) == 4


def test_a_missing_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TwinvecError, match="is missing; build the site again"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"version": 2}',
        '{"version": 1, "components": {}, "files": []}',
        '{"version": 1, "components": {"x": {"version": "1"}}, "files": {}}',
        (
            '{"version": 1, "components": {"x": {"version": 1, "origin": "", "license": ""}}, '
            '"files": {}}'
        ),
        *(
            json.dumps({"version": 1, "components": {}, "files": {path: facts}})
            for path, facts in {
                "../a": {"bytes": 1, "component": "x", "sha256": "0" * 64},
                "/a": {"bytes": 1, "component": "x", "sha256": "0" * 64},
                "a": {"bytes": "1", "component": "x", "sha256": "0" * 64},
                "b": {"bytes": 1, "component": "x", "sha256": ""},
                "c": {"bytes": 1, "component": "x"},
                "d": None,
            }.items()
        ),
    ],
)
def test_a_damaged_manifest_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / SITE_MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(TwinvecError, match=r"manifest\.json .*again"):
        read_manifest(tmp_path)
