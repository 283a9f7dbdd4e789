"""`twinvec site`: write a static site with the search page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinvec.cli.options import as_json, open_embedder
from twinvec.index import Index
from twinvec.model.dtypes import DTYPES
from twinvec.site.build import build_site
from twinvec.site.sample import SAMPLE_QUERY
from twinvec.site.sizes import measure_parts

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--model",
    help="Hub name or local folder.  [default: the one that --index was built with, else the "
    "default model]",
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(list(DTYPES)),
    help="Which weights; may be given several times, the default one first.  [default: those that "
    "--index was built with, else fp32]",
)
@click.option(
    "--index",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="What `twinvec index` wrote; a sample unless given.",
)
@click.option("--webgpu", is_flag=True, help="Let pages choose WebGPU (27 MB more to upload).")
@as_json
def site(
    *,
    out: Path,
    model: str | None,
    dtypes: Sequence[str],
    index: Path | None,
    webgpu: bool,
    as_json: bool,
) -> None:
    """Write a static site with runtime, model, page and index into OUT, ready to upload.

    An index of your own in OUT/index is kept, if this model and dtype can search it.
    """
    if not as_json:
        click.echo(f"Building {out} ...")
    if index and not dtypes:
        made_with = open_embedder(Index.load(index).fingerprint, model)
        model, dtypes = model or made_with.info.name, [made_with.dtype]
        made_with.close()
    dtypes = dtypes or ["fp32"]
    embedder, searched = build_site(out, model, dtypes=dtypes, index=index, webgpu=webgpu)
    parts = measure_parts(out)
    size = sum(raw for raw, _ in parts.values())
    name = embedder.info.name
    hits = [] if index else searched.search(SAMPLE_QUERY, embedder)
    embedder.close()
    if as_json:
        click.echo(json.dumps({"out": str(out), "model": name, "dtypes": dtypes, "bytes": size}))
        return
    click.echo(f"{out} is ready: {name} ({', '.join(dtypes)}), {size / 1e6:.1f} MB in all.")
    for part, (raw, sent) in parts.items():
        click.echo(f"  {part:17}{raw / 1e6:7.2f} MB, {sent / 1e6:6.2f} MB as Brotli")
    if hits:
        click.echo(f"\n{SAMPLE_QUERY}")
    for hit in hits:
        click.echo(f"  {hit.score:.4f}  {hit.text}")
