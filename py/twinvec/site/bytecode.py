"""Python archives for the browser: the modules that are imported there, as bytecode.

Pyodide starts slowly because the standard library and NumPy arrive as sources. Here the same
CPython compiles them at build time (Pyodide under Node): Python, NumPy and twinvec start in a
quarter of the time (1.1 s against 4.8 s in Chromium on a 2-core machine), and Brotli sends 2.1 MB
instead of 5.3 MB. Docstrings and assertions are left out.

The archives are stored, not deflated: Brotli then compresses their content (2.1 MB against 2.9 MB),
and they load as fast.
"""

from __future__ import annotations

import hashlib
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.download import cache_root
from twinvec.files.atomic import CACHE_WAIT_SECONDS, locked, replacing, temporary_folder
from twinvec.site.node import run_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Patterns of module names. They cover the imports of Pyodide's boot and of `twinvec.page.endpoint`,
# those inside functions included. A missing module is a ModuleNotFoundError that names it.
STDLIB_MODULES = """
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
NUMPY_MODULES = """
    numpy numpy.__config__ numpy._* numpy.dtypes numpy.exceptions numpy.lib* numpy.linalg
    numpy.linalg._* numpy.matrixlib* numpy.typing numpy.version
"""

NATIVE_ONLY = (
    "twinvec.catalog*",
    "twinvec.certify*",
    "twinvec.cli*",
    "twinvec.convert*",
    "twinvec.documents*",
    "twinvec.index.writing.journal",
    "twinvec.index.writing.ray_engine",
    "twinvec.index.writing.update",
    "twinvec.runtime.native",
    "twinvec.site*",
)
"""Patterns of twinvec's modules that the page does not import, but for `IN_PAGE`."""

IN_PAGE = (
    "twinvec.catalog",
    "twinvec.catalog.loaded",
    "twinvec.catalog.open",
    "twinvec.documents",
    "twinvec.documents.chunker",
    "twinvec.documents.passages",
    "twinvec.documents.section",
)
"""Modules of these packages that the page imports nevertheless."""


def stdlib_sources(archive: Path) -> dict[str, bytes]:
    """Return the needed modules of Pyodide's `python_stdlib.zip`: path -> content."""
    return _needed_files(archive, STDLIB_MODULES.split())


def numpy_sources(wheel: Path) -> dict[str, bytes]:
    """Return the needed modules of NumPy's wheel."""
    return _needed_files(wheel, NUMPY_MODULES.split())


def twinvec_sources() -> dict[str, bytes]:
    """Return the needed modules of this package."""
    package = Path(__file__).parents[1]
    files = {file.relative_to(package.parent).as_posix(): file for file in package.rglob("*.py")}
    return {
        path: file.read_bytes()
        for path, file in files.items()
        if _matches_any(path, IN_PAGE) or not _matches_any(path, NATIVE_ONLY)
    }


def compile_archive(name: str, sources: Mapping[str, bytes], web: Path) -> Path:
    """Write an archive of the sources, with bytecode instead of Python; cached by content.

    Args:
        name: the archive's file name.
        sources: path in the archive -> content.
        web: the sources of the browser side, with their npm packages installed.

    Returns:
        The archive's path in the cache.

    Raises:
        TwinvecError: Node is missing, or compiling failed.
    """
    script = web / "tools" / "compile.mjs"
    target = cache_root() / "bytecode" / _cache_key(sources, script, web) / name
    if target.is_file():
        return target
    with locked(target, wait_seconds=CACHE_WAIT_SECONDS), temporary_folder(target) as temporary:
        if target.is_file():  # another run was faster
            return target
        for path, content in sources.items():
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            (temporary / path).write_bytes(content)
        run_script(script, temporary)
        with replacing(target) as part:
            _pack(temporary, part)
    return target


def _cache_key(sources: Mapping[str, bytes], script: Path, web: Path) -> str:
    """Hash everything that an archive depends on."""
    lock = web / "package-lock.json"  # names Pyodide's version, and so CPython's
    contents = [Path(__file__).read_bytes(), script.read_bytes(), lock.read_bytes()]
    for path in sorted(sources):
        contents += [path.encode(), sources[path]]
    digests = b"".join(hashlib.sha256(content).digest() for content in contents)
    return hashlib.sha256(digests).hexdigest()[:16]


def _needed_files(archive: Path, modules: Iterable[str]) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        code = [name for name in opened.namelist() if name.endswith((".py", ".so"))]
        return {name: opened.read(name) for name in code if _matches_any(name, modules)}


def _matches_any(path: str, patterns: Iterable[str]) -> bool:
    """Match a file's module name, without the platform in an extension module's suffix."""
    folder, _, file = path.rpartition("/")
    stem = file.partition(".")[0]
    module = f"{folder}/{stem}".strip("/").removesuffix("/__init__").replace("/", ".")
    return any(fnmatchcase(module, pattern) for pattern in patterns)


def _pack(folder: Path, target: Path) -> None:
    """Store all files but the sources; equal files give equal bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.suffix != ".py":
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
                archive.writestr(entry, file.read_bytes())
