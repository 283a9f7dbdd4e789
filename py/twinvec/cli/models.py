"""`twinvec models`: list models and their weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby

import click

from twinvec.catalog.listing import list_weights
from twinvec.catalog.pins import DEFAULT
from twinvec.cli.options import examples, json_option
from twinvec.model.dtypes import parity


@click.command(epilog=examples("twinvec models", "twinvec models --json"))
@json_option
def models(as_json: bool) -> None:
    """List known and cached models with their weights.

    Exact parity means that CPython and the browser compute the same vectors. Weights without a
    size are made from the fp32 weights when a command first needs them. Other models of the
    Hugging Face Hub work too, if they have an onnx/ folder in the Transformers.js layout.
    """
    all_weights = list_weights()
    if as_json:
        rows = [
            asdict(weights)
            | {"file": weights.file and str(weights.file), "parity": parity(weights.dtype)}
            for weights in all_weights
        ]
        click.echo(json.dumps(rows))
        return
    by_model = groupby(all_weights, lambda weights: (weights.model, weights.revision))
    for (model, revision), model_weights in by_model:
        default = " (default)" if model == DEFAULT.name else ""
        click.echo(f"{model}{default}, revision {revision[:12]}")
        for weights in model_weights:
            size = f"{weights.bytes / 1e6:.1f} MB" if weights.bytes else ""
            cached = "cached" if weights.file else ""
            line = f"  {weights.dtype:6} {parity(weights.dtype):11} {size:>9}  {cached}"
            click.echo(line.rstrip())
