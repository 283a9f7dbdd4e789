"""BERT-family safetensors to a Transformers.js-layout folder, without PyTorch."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinvec.download import sha256_of
from twinvec.embedder import Embedder
from twinvec.errors import ModelError, ModelNotFoundError, UnsupportedModelError
from twinvec.model.dtypes import onnx_path
from twinvec.model.info import CONFIG_FILES, OPTIONAL_FILES, PROBES_FILE, SHA256SUMS, read_json
from twinvec.model.reference import record

try:
    import onnx
    from google.protobuf.message import DecodeError
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from twinvec.convert.bert import bert_graph
    from twinvec.convert.q8 import make_q8
    from twinvec.convert.w8a8 import check_fixed_point
    from twinvec.convert.weight_only import make_variant
except ModuleNotFoundError as err:
    raise ModelError(
        f"converting a model needs {err.name}; install it with: pip install 'twinvec[convert]'"
    ) from err

if TYPE_CHECKING:
    from collections.abc import Sequence


__all__ = ["convert_folder", "reason_against_w8a8"]


def convert_folder(source: Path, folder: Path, dtypes: Sequence[str] = ("fp32",)) -> Path:
    """Make a model folder from a Hugging Face one.

    Args:
        source: holds `onnx/model.onnx` or else `model.safetensors`, `config.json` and the
            tokenizer's files.
        folder: where to write; replaced as a whole, and only when everything is written.
        dtypes: `fp32`, and those of `dtypes.DERIVED`.

    Raises:
        UnsupportedModelError: the architecture is not one that can be converted, or not to `w8a8`.
        ModelNotFoundError: there is no file of weights.
        ModelError: a file cannot be read.
    """
    model = _fp32_model(source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        (made / "onnx").mkdir(parents=True)
        for file in (*CONFIG_FILES, *OPTIONAL_FILES):
            if (source / file).is_file():
                (made / file).parent.mkdir(exist_ok=True)
                shutil.copyfile(source / file, made / file)
        for dtype in dtypes:
            onnx.save(_in_dtype(model, dtype), made / onnx_path(dtype))
        (made / PROBES_FILE).write_text(json.dumps(_probes(made, dtypes)), encoding="utf-8")
        _record_hashes(made)
        if folder.exists():
            folder.replace(Path(temporary) / "old")
        try:
            made.replace(folder)
        except OSError:
            if not (folder / SHA256SUMS).is_file():  # else another process was faster
                raise
    return folder


def reason_against_w8a8(folder: Path) -> str:
    """Tell why a model folder's fp32 weights cannot be made `w8a8`; "" where they can."""
    try:
        check_fixed_point(_fp32_model(folder))
    except UnsupportedModelError as err:
        return str(err)
    return ""


def _in_dtype(model: onnx.ModelProto, dtype: str) -> onnx.ModelProto:
    if dtype == "fp32":
        return model
    return make_q8(model) if dtype == "q8" else make_variant(model, dtype)


def _probes(folder: Path, dtypes: Sequence[str]) -> dict[str, Any]:
    """Record what the weights give, which also shows that they run."""
    probes = {}
    for dtype in dtypes:
        embedder = Embedder.from_pretrained(folder, dtype=dtype)
        probes[dtype] = record(embedder)
        embedder.close()
    return probes


def _record_hashes(folder: Path) -> None:
    """Write what `sha256sum` prints for all files; `folder.recorded_hashes` reads it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    lines = [f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    (folder / SHA256SUMS).write_text("".join(lines), encoding="utf-8")


def _fp32_model(source: Path) -> onnx.ModelProto:
    file = source / onnx_path("fp32")
    try:
        if file.is_file():
            return _load(file)
        file = source / "model.safetensors"
        if not file.is_file():
            raise ModelNotFoundError(
                f"{source} has neither {onnx_path('fp32')} nor {file.name} to convert"
            )
        weights = load_file(file)
    except (SafetensorError, DecodeError, onnx.checker.ValidationError, OSError) as err:
        raise ModelError(f"{file} cannot be read: {err}") from err
    return bert_graph(read_json(source / "config.json"), weights)


def _load(file: Path) -> onnx.ModelProto:
    """Read an ONNX file with its external data."""
    if not file.is_symlink():
        return onnx.load(file)
    # `onnx` refuses external data that are links, as all files in the Hub's cache are.
    with tempfile.TemporaryDirectory() as folder:
        for part in file.parent.glob(f"{file.name}*"):
            shutil.copyfile(part, Path(folder) / part.name)
        return onnx.load(Path(folder) / file.name)
