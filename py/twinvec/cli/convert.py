"""`twinvec convert`: make a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinvec.cli.options import examples, json_option
from twinvec.cli.weights_table import quality_vectors, show_rows, weights_row
from twinvec.convert.quality import lowest_cosine
from twinvec.files.atomic import locked, temporary_folder
from twinvec.model.dtypes import makeable_dtypes

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(
    epilog=examples(
        "twinvec convert my-model my-model-onnx",
        "twinvec convert my-model my-model-onnx --dtype fp32 --dtype w8",
    )
)
@click.argument("src", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("dst", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(makeable_dtypes()),
    help="Weights to write; repeatable.  [default: all that can be made]",
)
@json_option
def convert(src: Path, dst: Path, dtypes: Sequence[str], as_json: bool) -> None:
    """Convert the model in folder SRC to the Transformers.js layout, in folder DST.

    SRC contains onnx/model.onnx, or model.safetensors of a BERT encoder, and config.json and the
    tokenizer's files. The report shows the lowest cosine between vectors of each dtype and of
    fp32, over a few built-in texts.
    """
    if dst.exists() and any(dst.iterdir()):
        raise click.ClickException(f"{dst} is not empty; choose another folder")
    from twinvec.convert.folder import convert_folder, reason_against_w8a8  # needs onnx

    intermediate = dst.with_name(f"{dst.name}-fp32")
    with locked(intermediate), temporary_folder(intermediate) as temporary:
        # Always make fp32: the other dtypes are compared with it.
        full = convert_folder(src, temporary / dst.name)
        if not dtypes:
            dtypes = makeable_dtypes()
            if reason := reason_against_w8a8(full):
                dtypes.remove("w8a8")
                click.echo(f"Left out: {reason}", err=True)
        convert_folder(full, dst, dtypes)
        expected = quality_vectors(full, "fp32")
        rows = [
            weights_row(dst, dtype)
            | {"cosine": lowest_cosine(quality_vectors(dst, dtype), expected)}
            for dtype in dtypes
        ]
    show_rows(rows, as_json=as_json)
