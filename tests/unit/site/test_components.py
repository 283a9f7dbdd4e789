"""Each file of a site has a component, with the version that is shipped."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from synthetic import write_tiny
from twinvec import TwinvecError
from twinvec.convert.folder import convert_folder
from twinvec.model.info import ModelInfo
from twinvec.site.build import WEB
from twinvec.site.components import PYTHON, component_of, site_components
from twinvec.site.packages import STDLIB, WEBGPU_FILES, find_npm_file


@pytest.fixture
def info(tmp_path: Path) -> ModelInfo:
    source = write_tiny(tmp_path / "source")
    return ModelInfo.from_folder(convert_folder(source, tmp_path / "tiny", ["fp32"]), "fp32")


@pytest.mark.parametrize(
    ("path", "component"),
    [
        ("runtime/pyodide/python_stdlib.zip.br", "cpython"),
        ("runtime/pyodide/pyodide.asm.wasm", "pyodide"),
        *((f"runtime/{path}", "onnxruntime-web") for path in WEBGPU_FILES),
        ("models/mine/config.json", "model"),
        ("models/manifest.json", "twinvec"),
        ("workers/python.js", "twinvec"),
    ],
)
def test_a_file_belongs_to_a_component(path: str, component: str) -> None:
    assert component_of(path) == component


def test_a_file_of_no_component_is_an_error() -> None:
    with pytest.raises(TwinvecError, match=r"page\.html belongs to no component"):
        component_of("page.html")


def test_the_version_of_python_is_the_one_that_runs() -> None:
    """As the build of Pyodide recorded it in the standard library."""
    with zipfile.ZipFile(find_npm_file(STDLIB, WEB)) as archive:
        (name,) = (name for name in archive.namelist() if name.startswith("_sysconfigdata"))
        assert f"Python-{PYTHON}" in archive.read(name).decode()


def test_a_model_has_its_origin_and_license(info: ModelInfo) -> None:
    local = site_components(WEB, replace(info, name="my model@home"))["model"]
    assert (local.origin, local.license) == ("pkg:generic/my%20model%40home", "NOASSERTION")
    pinned = replace(info, name="sentence-transformers/all-MiniLM-L6-v2", revision="abc")
    component = site_components(WEB, pinned)["model"]
    assert component.origin == "pkg:huggingface/sentence-transformers/all-MiniLM-L6-v2@abc"
    assert component.license == "Apache-2.0"
