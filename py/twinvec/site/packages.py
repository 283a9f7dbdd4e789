"""The runtime of a site: pinned npm files, NumPy and twinvec itself.

Every file of another project is pinned by SHA-256 and verified before it is copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from twinvec.download import Url, Wheel, fetch, sha256_of
from twinvec.errors import IntegrityError, TwinvecError
from twinvec.site.bytecode import (
    compile_archive,
    numpy_sources,
    stdlib_sources,
    twinvec_sources,
)
from twinvec.site.files import copy_verified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class NpmFile(NamedTuple):
    """A file of an npm package, in the version that `web/package-lock.json` names."""

    path: str
    """Path in `node_modules`."""
    sha256: str


STDLIB = NpmFile(
    "pyodide/python_stdlib.zip",
    "444c770dfd75a32097fc0a7d5c1413fd3140601f49c3a1f2e9af0376fcd124b4",
)
"""Python's standard library, of which a site gets a part, as bytecode."""

RUNTIME_FILES = {
    "pyodide/pyodide.mjs": NpmFile(
        "pyodide/pyodide.mjs",
        "5cfc46f5dcbaf2a16f26e2363f441873eb424762609cc03db00d6a2ace4d00e5",
    ),
    "pyodide/pyodide.asm.mjs": NpmFile(
        "pyodide/pyodide.asm.mjs",
        "1a9775427ef6e8abaa7db88ece0515422d1886915ae5c9093776410c865dfd8d",
    ),
    "pyodide/pyodide.asm.wasm": NpmFile(
        "pyodide/pyodide.asm.wasm",
        "e7f8fac36f8bf11085309cbc5c829b3ec3057c18bf1d73b05a6741612d63cdbf",
    ),
    "onnxruntime-web/ort.wasm.bundle.min.mjs": NpmFile(
        "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
        "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    ),
    "onnxruntime-web/ort-wasm-simd-threaded.wasm": NpmFile(
        "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    ),
    "tokenizers/index.js": NpmFile(
        "@mlc-ai/web-tokenizers/lib/index.js",
        "1835f057a5923a0cac8b17276af4a011a4f4ccecfe9fe16e73ed5fc374f8c6c1",
    ),
}
"""Path in a site's `runtime/` -> npm file."""

WEBGPU_FILES = {
    "onnxruntime-webgpu/ort.webgpu.bundle.min.mjs": NpmFile(
        "onnxruntime-web/dist/ort.webgpu.bundle.min.mjs",
        "0730816731ce2cdfb06f273da065d4a1c7091eb9d1756a83b2916c8a89d015e2",
    ),
    "onnxruntime-webgpu/ort-wasm-simd-threaded.asyncify.wasm": NpmFile(
        "onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm",
        "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
    ),
}
"""Path in a site's `runtime/` -> npm file, of a site that offers WebGPU."""

NUMPY = "numpy-2.4.3-cp314-cp314-pyemscripten_2026_0_wasm32.whl"
NUMPY_SHA256 = "0cad9c1b91f0082e4f959bc0e0bf5835a2efbba6ab3b1e9d1fe6e7e564cca98e"
NUMPY_ORIGINS = (
    Url(f"https://cdn.jsdelivr.net/pyodide/v314.0.3/full/{NUMPY}"),
    # For networks that reach package indexes only: this wheel carries the identical file.
    Wheel("open-webui==0.12.4", f"open_webui/frontend/pyodide/{NUMPY}"),
)


def write_runtime(out: Path, web: Path, *, webgpu: bool) -> Iterator[Path]:
    """Write the `runtime/` folder of the site `out`, unchanged files excepted. Yield all its files.

    Raises:
        TwinvecError: an npm package or Node is missing.
        IntegrityError: a file is not the pinned one.
    """
    npm_files = RUNTIME_FILES | (WEBGPU_FILES if webgpu else {})
    sources = {path: find_npm_file(file, web) for path, file in npm_files.items()}
    stdlib = stdlib_sources(find_npm_file(STDLIB, web))
    numpy = numpy_sources(fetch_numpy())
    archives = {  # twinvec's own first: it marks the folder as a site
        "twinvec.zip": compile_archive("twinvec.zip", twinvec_sources(), web),
        "numpy.zip": compile_archive("numpy.zip", numpy, web),
        STDLIB.path: compile_archive("python_stdlib.zip", stdlib, web),
    }
    for path, source in (archives | sources).items():
        yield copy_verified(source, out / "runtime" / path, sha256_of(source))


def fetch_numpy() -> Path:
    """Return the path of NumPy's wheel for Pyodide, downloaded once.

    Raises:
        DownloadError: no origin answers.
        IntegrityError: the file is not the pinned one.
    """
    return fetch(NUMPY, NUMPY_SHA256, NUMPY_ORIGINS)


def find_npm_file(file: NpmFile, web: Path) -> Path:
    """Return the path of an npm file after checking its hash.

    Raises:
        TwinvecError: the package is not installed.
        IntegrityError: the file is not the pinned one.
    """
    path = web / "node_modules" / file.path
    if not path.is_file():
        raise TwinvecError(f"{path} is missing; run `npm ci --ignore-scripts` in {web}")
    sha256 = sha256_of(path)
    if sha256 != file.sha256:
        advice = f"Run `npm ci --ignore-scripts` in {web}."
        raise IntegrityError(str(path), file.sha256, sha256, advice)
    return path
