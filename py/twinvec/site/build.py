"""Write a folder that any static host can serve: runtime, model, scripts and a sample index.

Everything in it is pinned by version and SHA-256 and verified before it is copied; nothing in it
asks another origin for anything.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinvec.catalog.find import find_model
from twinvec.download import Url, Wheel, fetch, sha256_of
from twinvec.embedder import Embedder
from twinvec.errors import IndexFormatError, IntegrityError, TwinvecError
from twinvec.index import Index
from twinvec.index.writing.shards import check_folder, replace_folder
from twinvec.model.reference import REFERENCE_POOLING, REFERENCE_TEXTS, record
from twinvec.site.bytecode import compiled, numpy_sources, stdlib_sources, twinvec_sources
from twinvec.site.compress import brotli_of, precompress
from twinvec.site.scripts import DOORS, WORKERS, write_scripts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinvec.model.info import ModelInfo

__all__ = ["SAMPLE_QUERY", "SAMPLE_TEXTS", "SITE_MARK", "WEB", "build_site", "sizes"]

WEB = Path(__file__).parents[3] / "web"
"""The sources of the browser side, in a checkout of twinvec."""

# The default model's card ranks these texts for this query.
SAMPLE_TEXTS = [
    "Hello world.",
    (
        "The giant panda (Ailuropoda melanoleuca), sometimes called a panda bear or simply panda, "
        "is a bear species endemic to China."
    ),
    "I love pandas so much!",
]
SAMPLE_QUERY = "What is a panda?"

SITE_MARK = "runtime/twinvec.zip"
"""What a folder holds that is a site of twinvec's."""

_OWNED = ("models", "runtime")

_LARGE = 50_000  # bytes

_PARTS: dict[str, tuple[str, ...]] = {
    "Pyodide": ("runtime/pyodide/pyodide*",),
    "standard library": ("runtime/pyodide/python_stdlib.zip*",),
    "NumPy": ("runtime/numpy.zip*",),
    "twinvec": ("runtime/twinvec.zip*",),
    "ONNX Runtime Web": ("runtime/onnxruntime-web/*",),
    "WebGPU, if asked": ("runtime/onnxruntime-webgpu/*",),
    "tokenizers": ("runtime/tokenizers/*",),
    "scripts": (*DOORS, *WORKERS),
    "model": ("models/**/*",),
    "index": ("index/*",),
}
"""Part of a site -> where its files are."""

# Folder in runtime/ -> folder in node_modules/ -> file -> SHA-256, of the versions that
# web/package-lock.json names.
_PACKAGES = {
    ("pyodide", "pyodide"): {
        "pyodide.mjs": "5cfc46f5dcbaf2a16f26e2363f441873eb424762609cc03db00d6a2ace4d00e5",
        "pyodide.asm.mjs": "1a9775427ef6e8abaa7db88ece0515422d1886915ae5c9093776410c865dfd8d",
        "pyodide.asm.wasm": "e7f8fac36f8bf11085309cbc5c829b3ec3057c18bf1d73b05a6741612d63cdbf",
    },
    ("onnxruntime-web", "onnxruntime-web/dist"): {
        "ort.wasm.bundle.min.mjs": (
            "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90"
        ),
        "ort-wasm-simd-threaded.wasm": (
            "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
        ),
    },
    ("tokenizers", "@mlc-ai/web-tokenizers/lib"): {
        "index.js": "1835f057a5923a0cac8b17276af4a011a4f4ccecfe9fe16e73ed5fc374f8c6c1",
    },
}

_WEBGPU = {
    ("onnxruntime-webgpu", "onnxruntime-web/dist"): {
        "ort.webgpu.bundle.min.mjs": (
            "0730816731ce2cdfb06f273da065d4a1c7091eb9d1756a83b2916c8a89d015e2"
        ),
        "ort-wasm-simd-threaded.asyncify.wasm": (
            "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da"
        ),
    },
}

_STDLIB = "python_stdlib.zip"
_STDLIB_SHA256 = "444c770dfd75a32097fc0a7d5c1413fd3140601f49c3a1f2e9af0376fcd124b4"

_NUMPY = "numpy-2.4.3-cp314-cp314-pyemscripten_2026_0_wasm32.whl"
_NUMPY_SHA256 = "0cad9c1b91f0082e4f959bc0e0bf5835a2efbba6ab3b1e9d1fe6e7e564cca98e"
_NUMPY_ORIGINS = (
    Url(f"https://cdn.jsdelivr.net/pyodide/v314.0.3/full/{_NUMPY}"),
    # For networks that reach package indexes only: this wheel carries the identical file.
    Wheel("open-webui==0.12.4", f"open_webui/frontend/pyodide/{_NUMPY}"),
)


def build_site(
    out: Path,
    model: str | Path | None = None,
    *,
    dtypes: Sequence[str] = ("fp32",),
    index: Path | None = None,
    webgpu: bool = False,
    web: Path = WEB,
) -> tuple[Embedder, Index]:
    """Write the folder; what is there already and right is left as it is.

    Args:
        out: where to write; its folders `models` and `runtime` are twinvec's own, and kept free
            of anything else. An index in `index` is kept, unless it is the sample one.
        model: as in `Embedder.from_pretrained`.
        dtypes: which weights; a page that names none gets the first, and the index is built
            with it.
        index: the folder of an index, copied to `index`; None for the sample.
        webgpu: whether pages may choose WebGPU, which is another build of ONNX Runtime.
        web: the browser side's sources, with its npm packages installed.

    Returns:
        The model, opened natively, and the index in `out`.

    Raises:
        TwinvecError: a source file is missing, or `out` holds what is not twinvec's; the message
            says what to do.
        IntegrityError: a file is not the pinned one.
        IndexMismatchError: the index is of another model, dtype or limits.
        IndexFormatError: `index` holds none, or `out/index` something else.
    """
    if not web.is_dir():
        raise TwinvecError(f"{web} is not there; build from a checkout of twinvec: python build.py")
    if not (out / SITE_MARK).is_file():
        _refuse_others(out, [*_OWNED, *DOORS])
    _refuse_other_workers(out)
    check_folder(out / "index")
    first = find_model(model, dtype=dtypes[0])
    model = model or first[1].name  # where another model stands in, it does so for every dtype
    found = {dtypes[0]: first} | {dtype: find_model(model, dtype=dtype) for dtype in dtypes[1:]}
    embedder = Embedder.from_pretrained(model, dtype=dtypes[0])
    if index and index.resolve() != (out / "index").resolve():
        Index.load(index).check(embedder)  # before anything is written
    else:
        index = None
        kept = _kept_index(out / "index", embedder)
    written = {*_copy_runtime(out, web, webgpu=webgpu), *_copy_model(out, found)}
    files = [file for file in written if ".onnx" not in file.name]  # nor external data
    large = [file for file in files if file.stat().st_size > _LARGE]
    written.update(precompress(large, web))
    written.update(write_scripts(out, web))
    for owned in _OWNED:
        for file in (out / owned).rglob("*"):
            if file.is_file() and file not in written:
                file.unlink()
    if index:
        replace_folder(out / "index", index)
        kept = Index.load(out / "index")
    elif kept is None:
        kept = Index.build(SAMPLE_TEXTS, embedder)
        kept.save(out / "index")
    return embedder, kept


def _refuse_others(out: Path, names: Sequence[str]) -> None:
    for theirs in (out / name for name in names if (out / name).exists()):
        raise TwinvecError(
            f"{theirs} is there and not twinvec's, which would delete or replace it; choose an "
            "empty folder, or move it away"
        )


def _refuse_other_workers(out: Path) -> None:
    """Protect a user's `workers` folder, also in a site that has none of twinvec's yet."""
    own = {(out / name).name for name in WORKERS}
    others = [file for file in (out / "workers").glob("*") if file.name not in own]
    _refuse_others(out, [f"workers/{file.name}" for file in others])


def _kept_index(folder: Path, embedder: Embedder) -> Index | None:
    """Load an index that somebody put there, if its texts are not the sample's."""
    if not (folder / "index.json").exists():
        return None
    try:
        index = Index.load(folder)
    except IndexFormatError:
        if json.loads((folder / "index.json").read_bytes()).get("texts") == SAMPLE_TEXTS:
            return None  # the sample, as an earlier twinvec wrote it
        raise
    if [document.text for document in index.documents(0, len(SAMPLE_TEXTS) + 1)] == SAMPLE_TEXTS:
        return None
    index.check(embedder)
    return index


def sizes(out: Path) -> dict[str, tuple[int, int]]:
    """Measure the parts of a site: bytes, and bytes to send where the server sends Brotli."""
    found = {}
    for part, patterns in _PARTS.items():
        matches = (file for pattern in patterns for file in out.glob(pattern))
        files = [file for file in matches if file.is_file() and file.suffix != ".br"]
        twins = [twin if (twin := brotli_of(file)).is_file() else file for file in files]
        raw, sent = (sum(file.stat().st_size for file in some) for some in (files, twins))
        if files:
            found[part] = raw, sent
    return found


def _copy_runtime(out: Path, web: Path, *, webgpu: bool) -> Iterator[Path]:
    sources = {
        f"{folder}/{file}": _npm_file(web, f"{package}/{file}", sha256)
        for (folder, package), files in (_PACKAGES | (_WEBGPU if webgpu else {})).items()
        for file, sha256 in files.items()
    }
    stdlib = _npm_file(web, f"pyodide/{_STDLIB}", _STDLIB_SHA256)
    numpy = fetch(_NUMPY, _NUMPY_SHA256, _NUMPY_ORIGINS)
    archives = {  # twinvec's own first: it marks the folder
        "twinvec.zip": compiled("twinvec.zip", twinvec_sources(), web),
        "numpy.zip": compiled("numpy.zip", numpy_sources(numpy), web),
        f"pyodide/{_STDLIB}": compiled(_STDLIB, stdlib_sources(stdlib), web),
    }
    for path, source in (archives | sources).items():
        yield _copy(source, out / "runtime" / path, sha256_of(source))


def _npm_file(web: Path, path: str, sha256: str) -> Path:
    """Find a file in node_modules and check it."""
    file = web / "node_modules" / path
    if not file.is_file():
        raise TwinvecError(f"{file} is missing; run `npm ci --ignore-scripts` in {web}")
    if (found := sha256_of(file)) != sha256:
        raise IntegrityError(str(file), sha256, found, "Run `npm ci --ignore-scripts` in web/.")
    return file


def _copy_model(out: Path, found: Mapping[str, tuple[Path, ModelInfo]]) -> Iterator[Path]:
    """Copy one model in several dtypes, each as `find_model` found it, and write the manifest."""
    weights: dict[str, str] = {}
    files: dict[str, dict[str, Any]] = {}
    references: dict[str, Any] = {}
    for dtype, (folder, info) in found.items():
        for path, facts in info.files.items():
            yield _copy(folder / path, out / "models" / info.name / path, facts["sha256"])
        weights |= info.weights
        files |= info.files
        references |= info.references or {dtype: _reference(folder, dtype)}
    _, first = next(iter(found.values()))
    info = replace(first, weights=weights, files=files, references=references)
    manifest = out / "models" / "manifest.json"
    manifest.write_text(json.dumps({"models": [info.to_json()]}), encoding="utf-8")
    yield manifest


def _reference(folder: Path, dtype: str) -> dict[str, Any]:
    """Record what the weights give here, where the folder does not say."""
    embedder = Embedder.from_pretrained(folder, dtype=dtype)
    reference = record(embedder.encode(REFERENCE_TEXTS, pooling=REFERENCE_POOLING))
    embedder.close()
    return reference


def _copy(source: Path, target: Path, sha256: str) -> Path:
    """Copy a file whose hash is known, unless it is there already."""
    if target.is_file() and sha256_of(target) == sha256:
        return target
    found = sha256_of(source)
    if found != sha256:
        way_out = "Empty twinvec's cache and try again."
        raise IntegrityError(str(source), sha256, found, way_out)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target
