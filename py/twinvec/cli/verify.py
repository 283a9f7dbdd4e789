"""`twinvec verify`: check a model folder."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from twinvec.cli.options import as_json
from twinvec.cli.weights_table import quality_vectors, show_rows, weights_row
from twinvec.convert.quality import lowest_cosine
from twinvec.embedder import Embedder
from twinvec.errors import ModelNotFoundError, TwinvecError
from twinvec.model.dtypes import DTYPES, onnx_path


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
        row = weights_row(folder, dtype)
        try:
            vectors = quality_vectors(folder, dtype)
            expected = vectors if dtype == "fp32" else expected
            if expected is not None:
                row["cosine"] = lowest_cosine(vectors, expected)
            row |= _checked(folder, dtype)
        except TwinvecError as err:  # told, not raised, so that all are looked at
            row["failure"] = f"{type(err).__name__}: {err}"
        rows.append(row)
    show_rows(rows, as_json=as_json)
    if any("failure" in row for row in rows):
        raise SystemExit(1)


def _checked(folder: Path, dtype: str) -> dict[str, Any]:
    """Compare all reference vectors.

    Raises:
        ParityError: one of them differs.
    """
    with closing(Embedder.from_pretrained(folder, dtype=dtype, self_check=False)) as embedder:
        deviation = embedder.check_parity()
    if deviation is None:
        return {"failure": "the folder has no reference vectors; twinvec convert records them"}
    return {"deviation": deviation}
