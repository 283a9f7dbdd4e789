"""Archives of bytecode: chosen, compiled by the browser's own CPython, the same every time."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from twinvec import TwinvecError
from twinvec.site.build import WEB
from twinvec.site.bytecode import compiled, numpy_sources, stdlib_sources, twinvec_sources

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = {
    "package/__init__.py": b"NAMES = frozenset({'a', 'b', 'c', 'd'})\n",
    "package/module.py": b"def one():\n    return 1\n",
    "package/native.so": b"\0asm",
}


def archive_of(folder: Path, *names: str) -> Path:
    with zipfile.ZipFile(folder / "source.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "x = 1\n")
    return folder / "source.zip"


def test_sources_become_bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = []
    for name in ("first", "second"):
        monkeypatch.setenv("TWINVEC_CACHE", str(tmp_path / name))
        contents.append(compiled("package.zip", SOURCES, WEB).read_bytes())
    assert contents[0] == contents[1]
    with zipfile.ZipFile(compiled("package.zip", SOURCES, WEB)) as archive:
        names = archive.namelist()
        assert names == ["package/__init__.pyc", "package/module.pyc", "package/native.so"]
        assert archive.read("package/native.so") == SOURCES["package/native.so"]


def test_what_does_not_compile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINVEC_CACHE", str(tmp_path))
    with pytest.raises(TwinvecError, match=r"compile\.mjs failed"):
        compiled("package.zip", {"wrong.py": b"def"}, WEB)
    assert list(tmp_path.rglob("*.zip")) == []


def test_only_what_is_imported_is_chosen(tmp_path: Path) -> None:
    names = ["json/__init__.py", "json/decoder.py", "turtle.py", "re/_parser.py", "resource.py"]
    assert set(stdlib_sources(archive_of(tmp_path, *names))) == {
        "json/__init__.py",
        "json/decoder.py",
        "re/_parser.py",
    }
    so = "cpython-314-wasm32-emscripten.so"
    names = [f"numpy/linalg/{name}.{so}" for name in ("_umath_linalg", "lapack_lite")]
    names += ["numpy/random/mtrand.py", "numpy-2.dist-info/licenses/LICENSE.txt", "numpy/a.pyi"]
    assert set(numpy_sources(archive_of(tmp_path, *names))) == {names[0], names[3]}
    assert "twinvec/page/endpoint.py" in twinvec_sources()
    assert "twinvec/runtime/native.py" not in twinvec_sources()
