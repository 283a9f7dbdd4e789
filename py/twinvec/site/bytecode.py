"""Python archives for the browser: only what is imported there, compiled beforehand.

Pyodide's own start-up is mostly compiling: the standard library and NumPy come as sources. From
archives of bytecode, made at build time by the very same CPython (Pyodide under Node), Python,
NumPy and twinvec were up in a quarter of the time (1.1 s against 4.8 s in Chromium on a 2-core
machine), and brotli makes 2.1 MB of what were 5.3 MB. Docstrings and assertions are left out.

The archives are stored, not deflated: a server's own brotli then sees their content (2.1 MB
against 2.9 MB), and they load no slower.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.download import cache_root
from twinvec.site.node import run_script

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["compiled", "numpy_sources", "stdlib_sources", "twinvec_sources"]

# Patterns of module names. They cover what Pyodide's boot and `twinvec.page.endpoint` import, and
# what their functions import later. A missing module is a ModuleNotFoundError that names it.
_STDLIB = """
    __future__ _ast_unparse _collections_abc _colorize _compat_pickle _opcode_metadata _py_warnings
    _pyodide* _sitebuiltins _ssl _strptime _weakrefset abc annotationlib argparse ast asyncio*
    base64 bisect bz2 calendar codecs codeop collections* compression* concurrent* contextlib
    contextvars copy copyreg csv ctypes* dataclasses datetime decimal dis encodings
    encodings.aliases encodings.ascii encodings.cp437 encodings.latin_1 encodings.utf_* enum fnmatch
    functools genericpath gettext glob gzip hashlib heapq importlib importlib._* importlib.abc
    importlib.machinery importlib.util inspect io ipaddress json* keyword linecache locale logging
    lzma ntpath numbers opcode operator os pathlib* pickle platform posixpath pprint pyodide* queue
    random re re.* reprlib selectors shutil signal site socket ssl stat string* struct subprocess
    sysconfig tarfile tempfile textwrap threading token tokenize traceback tracemalloc types typing
    urllib urllib.parse warnings weakref zipfile* zipimport
"""
_NUMPY = """
    numpy numpy.__config__ numpy._* numpy.dtypes numpy.exceptions numpy.lib* numpy.linalg
    numpy.linalg._* numpy.matrixlib* numpy.typing numpy.version
"""
_NATIVE_ONLY = """
    catalog.* cli* convert* documents.find documents.markup index.writing.journal
    index.writing.ray_engine index.writing.update reopen runtime.native site*
"""


def stdlib_sources(archive: Path) -> dict[str, bytes]:
    """Choose from Pyodide's `python_stdlib.zip`."""
    return _chosen(archive, _STDLIB)


def numpy_sources(wheel: Path) -> dict[str, bytes]:
    """Choose from NumPy's wheel; its licenses stay with it."""
    return _chosen(wheel, _NUMPY)


def twinvec_sources() -> dict[str, bytes]:
    """Choose from this package."""
    package = Path(__file__).parents[1]
    files = {file.relative_to(package.parent).as_posix(): file for file in package.rglob("*.py")}
    native_only = " ".join(f"twinvec.{pattern}" for pattern in _NATIVE_ONLY.split())
    return {
        name: file.read_bytes() for name, file in files.items() if not _matches(name, native_only)
    }


def compiled(name: str, sources: Mapping[str, bytes], web: Path) -> Path:
    """Make an archive of what is given, its Python sources as bytecode; cached by content.

    Args:
        name: the archive's file name.
        sources: path in the archive -> content.
        web: the browser side's sources, with its npm packages installed.

    Raises:
        TwinvecError: Node is missing, or it failed.
    """
    compiler = web / "tools" / "compile.mjs"
    lock = web / "package-lock.json"  # which names Pyodide's version, so CPython's
    parts = [Path(__file__).read_bytes(), compiler.read_bytes(), lock.read_bytes()]
    for path in sorted(sources):
        parts += [path.encode(), sources[path]]
    key = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    target = cache_root() / "bytecode" / key[:16] / name
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        folder, part = Path(temporary) / "sources", Path(temporary) / name
        for path, content in sources.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        run_script(compiler, folder)
        _pack(folder, part)
        part.replace(target)
    return target


def _chosen(archive: Path, patterns: str) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if name.endswith((".py", ".so"))]
        chosen = [name for name in names if _matches(name, patterns)]
        licenses = [name for name in opened.namelist() if "/licenses/" in name]
        return {name: opened.read(name) for name in (*chosen, *licenses) if name[-1] != "/"}


def _matches(path: str, patterns: str) -> bool:
    """Tell whether a file's module is among these; an extension's suffix tells its platform."""
    folder, _, file = path.rpartition("/")
    module = f"{folder}/{file.partition('.')[0]}".strip("/").removesuffix("/__init__")
    dotted = module.replace("/", ".")
    return any(fnmatchcase(dotted, pattern) for pattern in patterns.split())


def _pack(folder: Path, target: Path) -> None:
    """Store everything but the sources, the same bytes from the same files."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.suffix != ".py":
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
                archive.writestr(entry, file.read_bytes())
