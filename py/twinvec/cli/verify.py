"""`twinvec verify`: check a model folder."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinvec.cli.options import examples, json_option
from twinvec.cli.weights_table import quality_vectors, show_rows, weights_row
from twinvec.convert.quality import lowest_cosine
from twinvec.embedder import Embedder
from twinvec.errors import ModelNotFoundError, TwinvecError
from twinvec.model.dtypes import DTYPES, onnx_path
from twinvec.site.build import is_site
from twinvec.site.manifest import SITE_MANIFEST, compare_site, read_manifest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@click.command(epilog=examples("twinvec verify my-model-onnx", "twinvec verify _site/search"))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
def verify(folder: Path, as_json: bool) -> None:
    """Check the model or the site in FOLDER against what was recorded with it.

    `twinvec convert` records the hashes of a model's files, and a few reference vectors of each
    dtype. `twinvec site` records the hashes of a site's files in manifest.json; a site's indexes
    are not checked. The exit code is 1 if anything differs.
    """
    if is_site(folder) or (folder / SITE_MANIFEST).is_file():
        _verify_site(folder, as_json=as_json)
    else:
        _verify_model(folder, as_json=as_json)


def _verify_site(folder: Path, *, as_json: bool) -> None:
    """Compare the files of a site with its manifest, and print those that differ."""
    differences = list(compare_site(folder))
    count = len(read_manifest(folder).files)
    if as_json:
        rows = [difference._asdict() for difference in differences]
        click.echo(json.dumps({"files": count, "differences": rows}))
    else:
        for path, problem in differences:
            click.echo(f"{path}: {problem}")
        click.echo(f"{count} files are listed in {SITE_MANIFEST}, {len(differences)} differ.")
    if differences:
        raise SystemExit(1)


def _verify_model(folder: Path, *, as_json: bool) -> None:
    """Compare a model folder with its hashes and reference vectors, and print a row each dtype."""
    dtypes = [dtype for dtype in DTYPES if (folder / onnx_path(dtype)).is_file()]
    if not dtypes:
        raise ModelNotFoundError(
            f"{folder} has no weights under onnx/; name a model folder or a site"
        )
    fp32_vectors: NDArray[np.float32] | None = None
    rows = []
    for dtype in dtypes:  # fp32 comes first in DTYPES
        row = weights_row(folder, dtype)
        try:
            vectors = quality_vectors(folder, dtype)
            if dtype == "fp32":
                fp32_vectors = vectors
            if fp32_vectors is not None:
                row["cosine"] = lowest_cosine(vectors, fp32_vectors)
            row |= _compare(folder, dtype)
        except TwinvecError as err:  # reported in its row, so that all dtypes are checked
            row["failure"] = f"{type(err).__name__}: {err}"
        rows.append(row)
    show_rows(rows, as_json=as_json)
    if any("failure" in row for row in rows):
        raise SystemExit(1)


def _compare(folder: Path, dtype: str) -> dict[str, Any]:
    """Compare the vectors of a dtype with its reference vectors.

    Raises:
        ParityError: a vector differs.
    """
    with closing(Embedder.from_pretrained(folder, dtype=dtype, self_check=False)) as embedder:
        deviation = embedder.check_parity()
    if deviation is None:
        return {"failure": "the folder has no reference vectors; twinvec convert records them"}
    return {"deviation": deviation}
