"""Archives of bytecode: chosen, compiled by the browser's own CPython, the same every time."""

from __future__ import annotations

import _imp
import ast
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import DIST
from twinvec import TwinvecError
from twinvec.site.build import WEB
from twinvec.site.bytecode import (
    NATIVE_ONLY,
    compile_archive,
    numpy_sources,
    stdlib_sources,
    twinvec_sources,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        contents.append(compile_archive("package.zip", SOURCES, WEB).read_bytes())
    assert contents[0] == contents[1]
    with zipfile.ZipFile(compile_archive("package.zip", SOURCES, WEB)) as archive:
        names = archive.namelist()
        assert names == ["package/__init__.pyc", "package/module.pyc", "package/native.so"]
        assert archive.read("package/native.so") == SOURCES["package/native.so"]


def test_a_source_that_does_not_compile_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINVEC_CACHE", str(tmp_path))
    with pytest.raises(TwinvecError, match=r"compile\.mjs failed"):
        compile_archive("package.zip", {"wrong.py": b"def"}, WEB)
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
    assert set(numpy_sources(archive_of(tmp_path, *names))) == {names[0]}


def test_the_archive_holds_exactly_what_the_page_imports() -> None:
    """Followed from the endpoint, imports inside functions included, up to what is native only."""
    sources = {module_name(path): ast.parse(text) for path, text in twinvec_sources().items()}
    reached, waiting = set(), ["twinvec.page.endpoint"]
    while waiting:
        module = waiting.pop()
        if module in reached or module not in sources:
            continue
        reached.add(module)
        waiting += [module.rpartition(".")[0], *imports_of(sources[module])]
    assert reached == set(sources)


def test_every_native_only_pattern_matches_a_module() -> None:
    package = Path(WEB).parent / "py"
    files = (file.relative_to(package).as_posix() for file in (package / "twinvec").rglob("*.py"))
    modules = [module_name(file) for file in files]
    for pattern in NATIVE_ONLY:
        assert any(fnmatchcase(module, pattern) for module in modules), pattern


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that a module imports at run time, and names that may be modules."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        yield from imports_of(node)


def test_the_package_in_dist_is_this_one() -> None:
    """By the hash of its source: what the browser tests test is what is here."""
    with zipfile.ZipFile(DIST / "runtime" / "twinvec.zip") as archive:
        packed = {name: archive.read(name)[:16] for name in archive.namelist()}
    sources = twinvec_sources()
    assert set(packed) == {f"{name}c" for name in sources}
    for name, source in sources.items():
        header = packed[f"{name}c"]
        magic = int.from_bytes(header[:4], "little")
        assert header[4:8] == b"\1\0\0\0", name  # hash-based, unchecked
        assert header[8:] == _imp.source_hash(magic, source), name
