"""Make a model folder from safetensors or ONNX, without PyTorch."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinvec.download import sha256_of
from twinvec.encoding.pipeline import Pipeline
from twinvec.errors import ModelError, ModelNotFoundError, UnsupportedModelError
from twinvec.files.atomic import locked, sync_folder, sync_tree, temporary_folder
from twinvec.model.dtypes import dtype_facts, makeable_dtypes, onnx_path
from twinvec.model.facts import Facts
from twinvec.model.info import (
    CONFIG_FILES,
    OPTIONAL_FILES,
    REFERENCE_FILE,
    SHA256SUMS,
    ModelInfo,
)
from twinvec.model.reference import REFERENCE_POOLING, REFERENCE_TEXTS, record
from twinvec.runtime.native import NativeSession, NativeTokenizer

try:
    import onnx
    from google.protobuf.message import DecodeError
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from twinvec.convert.bert import bert_graph
    from twinvec.convert.q8 import make_q8
    from twinvec.convert.w8a8 import check_w8a8, make_w8a8
    from twinvec.convert.weight_only import make_weight_only
except ModuleNotFoundError as err:
    raise ModelError(
        f"converting a model needs {err.name}; install it with: pip install 'twinvec[convert]'"
    ) from err

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twinvec.model.dtypes import Recipe

_RECIPES: Mapping[Recipe, Callable[[onnx.ModelProto, str], onnx.ModelProto]] = {
    "fp32": lambda model, _: model,
    "weight_only": make_weight_only,
    "w8a8": lambda model, _: make_weight_only(make_w8a8(model), "w8"),  # its tables are w8's
    "q8": lambda model, _: make_q8(model),
}
"""Recipe in the table of dtypes -> function of a float32 graph and a dtype."""


def convert_folder(source: Path, folder: Path, dtypes: Sequence[str] = ("fp32",)) -> Path:
    """Make a model folder from a Hugging Face one.

    Args:
        source: holds `onnx/model.onnx` or else `model.safetensors`, `config.json` and the
            tokenizer's files.
        folder: where to write. It appears when everything is written; until then it must be empty
            or missing.
        dtypes: some of `makeable_dtypes()`.

    Returns:
        `folder`.

    Raises:
        UnsupportedModelError: twinvec cannot convert this architecture, or not to `w8a8`.
        ModelNotFoundError: `source` has no weights.
        ModelError: a file cannot be read, or `folder` is not empty.
        ValueError: a dtype is unknown, or twinvec cannot make it.
        TwinvecError: another run is writing the folder.
    """
    with locked(folder):
        return write_folder(source, folder, dtypes)


def write_folder(source: Path, folder: Path, dtypes: Sequence[str]) -> Path:
    """Do the same as `convert_folder`, for a caller who holds the lock of `folder`."""
    for dtype in dtypes:
        _check_makeable(dtype)
    _check_empty(folder)
    with temporary_folder(folder) as unfinished:
        model = _fp32_graph(source, unfinished)
        (unfinished / "onnx").mkdir()
        for path in (*CONFIG_FILES, *OPTIONAL_FILES):
            if (source / path).is_file():
                (unfinished / path).parent.mkdir(exist_ok=True)
                shutil.copyfile(source / path, unfinished / path)
        for dtype in dtypes:
            onnx.save(_in_dtype(model, dtype), unfinished / onnx_path(dtype))
        name = folder.resolve().name
        references = {dtype: _record_references(unfinished, dtype, name) for dtype in dtypes}
        (unfinished / REFERENCE_FILE).write_text(json.dumps(references), encoding="utf-8")
        _record_hashes(unfinished)
        sync_tree(unfinished)
        if folder.exists():
            folder.rmdir()
        unfinished.replace(folder)
        sync_folder(folder.parent)
    return folder


def _check_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} exists and is not an empty folder; choose another one")


def reason_against_w8a8(folder: Path) -> str:
    """Return why a model folder's fp32 weights cannot be converted to `w8a8`; "" if they can."""
    try:
        with tempfile.TemporaryDirectory() as scratch:
            check_w8a8(_fp32_graph(folder, Path(scratch)))
    except UnsupportedModelError as err:
        return str(err)
    return ""


def _check_makeable(dtype: str) -> Recipe:
    recipe = dtype_facts(dtype).recipe
    if recipe is None:
        raise ValueError(
            f"twinvec cannot make dtype {dtype}; it can make: {', '.join(makeable_dtypes())}"
        )
    return recipe


def _in_dtype(model: onnx.ModelProto, dtype: str) -> onnx.ModelProto:
    return _RECIPES[_check_makeable(dtype)](model, dtype)


def _record_references(folder: Path, dtype: str, name: str) -> dict[str, Any]:
    """Record the vectors of a dtype, which also proves that its weights run."""
    core = NativeTokenizer(folder / "tokenizer.json")
    session = NativeSession(folder / onnx_path(dtype))
    info = ModelInfo.from_folder(folder, dtype, name=name)
    with closing(
        Pipeline(core, session, info.max_length, hidden_size=info.dim, model=info.name)
    ) as pipeline:
        return record(pipeline.encode(REFERENCE_TEXTS, pooling=REFERENCE_POOLING))


def _record_hashes(folder: Path) -> None:
    """Write the hashes of all files as `sha256sum` prints them; `recorded_hashes` reads them."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    lines = [f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    (folder / SHA256SUMS).write_text("".join(lines), encoding="utf-8")


def _fp32_graph(source: Path, scratch: Path) -> onnx.ModelProto:
    file = source / onnx_path("fp32")
    try:
        if file.is_file():
            return _load_onnx(file, scratch)
        file = source / "model.safetensors"
        if not file.is_file():
            raise ModelNotFoundError(
                f"{source} has neither {onnx_path('fp32')} nor {file.name} to convert"
            )
        weights = load_file(file)
    except (SafetensorError, DecodeError, onnx.checker.ValidationError, OSError) as err:
        raise ModelError(f"{file} cannot be read: {err}") from err
    return bert_graph(Facts.read(source / "config.json"), weights)


def _load_onnx(file: Path, scratch: Path) -> onnx.ModelProto:
    """Read an ONNX file with its external data; `scratch` is a folder for copies."""
    if not file.is_symlink():
        return onnx.load(file)
    # `onnx` refuses external data that are links, as all files in the Hub's cache are.
    folder = scratch / "copies"
    folder.mkdir()
    try:
        for part in file.parent.glob(f"{file.name}*"):
            shutil.copyfile(part, folder / part.name)
        return onnx.load(folder / file.name)
    finally:
        shutil.rmtree(folder)
