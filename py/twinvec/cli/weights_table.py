"""The table of weights that `twinvec convert` and `twinvec verify` print."""

from __future__ import annotations

import json
import warnings
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from twinvec.convert.quality import QUALITY_TEXTS
from twinvec.embedder import Embedder
from twinvec.errors import TruncationWarning
from twinvec.model.dtypes import onnx_path, parity

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def weights_row(folder: Path, dtype: str) -> dict[str, Any]:
    """Describe the weights of a dtype: name, bytes and parity."""
    size = (folder / onnx_path(dtype)).stat().st_size
    return {"dtype": dtype, "bytes": size, "parity": parity(dtype)}


def quality_vectors(folder: Path, dtype: str) -> NDArray[np.float32]:
    """Embed the quality set: float32 [texts, dim]."""
    with (
        closing(Embedder.from_pretrained(folder, dtype=dtype, self_check=False)) as embedder,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", TruncationWarning)  # these are not the user's texts
        return embedder.encode(QUALITY_TEXTS)


def show_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print one line for each dtype, or all rows as JSON."""
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
