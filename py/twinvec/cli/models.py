"""`twinvec models`, `convert` and `verify`: what weights there are, and how near they come."""

from __future__ import annotations

import json
import tempfile
import warnings
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinvec.catalog.find import list_weights
from twinvec.catalog.pins import DEFAULT
from twinvec.cli.options import as_json
from twinvec.convert.quality import PROBES, lowest_cosine
from twinvec.embedder import Embedder
from twinvec.errors import ModelNotFoundError, TruncationWarning, TwinvecError
from twinvec.model.dtypes import DERIVED, DTYPES, onnx_path, parity
from twinvec.model.info import ModelInfo
from twinvec.model.reference import PROBE_POOLING, check, probe_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["convert", "models", "verify"]


@click.command()
@as_json
def models(as_json: bool) -> None:
    """List the models that twinvec knows, and what else is cached, with their weights.

    Parity is exact where CPython and the browser give the same vectors. Weights without a size are
    made here of fp32 ones when first asked for. Any other model on the Hugging Face Hub that has an
    onnx/ folder in the Transformers.js layout can be named as well.
    """
    found = list_weights()
    if as_json:
        rows = [
            asdict(one) | {"file": one.file and str(one.file), "parity": parity(one.dtype)}
            for one in found
        ]
        click.echo(json.dumps(rows))
        return
    for (model, revision), group in groupby(found, lambda one: (one.model, one.revision)):
        default = " (default)" if model == DEFAULT.name else ""
        click.echo(f"{model}{default}, revision {revision[:12]}")
        for one in group:
            size = f"{one.bytes / 1e6:.1f} MB" if one.bytes else ""
            cached = "cached" if one.file else ""
            click.echo(f"  {one.dtype:6} {parity(one.dtype):11} {size:>9}  {cached}".rstrip())


@click.command()
@click.argument("src", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("dst", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(["fp32", *DERIVED]),
    help="Which weights; may be given several times.  [default: all that can be made]",
)
@as_json
def convert(src: Path, dst: Path, dtypes: Sequence[str], as_json: bool) -> None:
    """Make a Transformers.js-layout folder DST of SRC.

    SRC holds onnx/model.onnx, or model.safetensors of a BERT encoder, with config.json and the
    tokenizer's files. How near each dtype comes to fp32 is measured on a few built-in texts.
    """
    if dst.exists() and any(dst.iterdir()):
        raise click.ClickException(f"{dst} is not empty; choose another folder")
    from twinvec.convert.folder import convert_folder, reason_against_w8a8

    with tempfile.TemporaryDirectory() as temporary:
        # Its fp32 weights are what the others are compared with, wanted or not.
        full = convert_folder(src, Path(temporary) / "fp32")
        if not dtypes:
            dtypes = ["fp32", *DERIVED]
            if reason := reason_against_w8a8(full):
                dtypes.remove("w8a8")
                click.echo(f"Left out: {reason}", err=True)
        convert_folder(full, dst, dtypes)
        expected = _vectors(full, "fp32")
        rows = [
            _facts(dst, dtype) | {"cosine": lowest_cosine(_vectors(dst, dtype), expected)}
            for dtype in dtypes
        ]
    _show(rows, as_json=as_json)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@as_json
def verify(folder: Path, as_json: bool) -> None:
    """Check a model FOLDER: its files' hashes, and the vectors that its weights give here.

    Both are compared with what `twinvec convert` recorded when it made the folder. Exit code 1
    where anything differs.
    """
    present = [dtype for dtype in DTYPES if (folder / onnx_path(dtype)).is_file()]
    if not present:
        raise ModelNotFoundError(f"{folder} has no weights under onnx/; is it a model's folder?")
    expected = None
    rows = []
    for dtype in present:  # fp32, which the others are compared with, is the first in DTYPES
        row = _facts(folder, dtype)
        try:
            vectors = _vectors(folder, dtype)
            expected = vectors if dtype == "fp32" else expected
            if expected is not None:
                row["cosine"] = lowest_cosine(vectors, expected)
            row |= _checked(folder, dtype)
        except TwinvecError as err:  # told, not raised, so that all are looked at
            row["failure"] = f"{type(err).__name__}: {err}"
        rows.append(row)
    _show(rows, as_json=as_json)
    if any("failure" in row for row in rows):
        raise SystemExit(1)


def _facts(folder: Path, dtype: str) -> dict[str, Any]:
    size = (folder / onnx_path(dtype)).stat().st_size
    return {"dtype": dtype, "bytes": size, "parity": parity(dtype)}


def _checked(folder: Path, dtype: str) -> dict[str, Any]:
    """Compare all reference vectors.

    Raises:
        ParityError: one of them differs.
    """
    info = ModelInfo.from_folder(folder, dtype)
    texts = probe_texts(info, dtype)
    if not texts:
        return {"failure": "the folder has no reference vectors; twinvec convert records them"}
    embedder = Embedder.from_pretrained(folder, dtype=dtype, self_check=False)
    try:
        return {"deviation": check(info, dtype, embedder.encode(texts, pooling=PROBE_POOLING))}
    finally:
        embedder.close()


def _vectors(folder: Path, dtype: str) -> NDArray[np.float32]:
    embedder = Embedder.from_pretrained(folder, dtype=dtype, self_check=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncationWarning)  # these are not the user's texts
        vectors = embedder.encode(PROBES)
    embedder.close()
    return vectors


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        line = f"{row['dtype']:6} {row['bytes'] / 1e6:8.1f} MB  {row['parity']:11}"
        if "cosine" in row:
            line += f"  lowest cosine to fp32 {row['cosine']:.7f}"
        if "deviation" in row:
            line += f"  {row['deviation']:.1e} from its reference: fine"
        if "failure" in row:
            line += f"  {row['failure']}"
        click.echo(line)
