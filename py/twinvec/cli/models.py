"""`twinvec models`: list models and their weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby

import click

from twinvec.catalog.listing import list_weights
from twinvec.catalog.pins import DEFAULT
from twinvec.cli.options import as_json
from twinvec.model.dtypes import parity


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
