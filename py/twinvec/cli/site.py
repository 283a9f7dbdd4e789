"""`twinvec site`: write a folder with the search box and all that it needs."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinvec.catalog.pins import DEFAULT
from twinvec.cli.options import examples, json_option
from twinvec.cli.progress import ProgressBars
from twinvec.embedder import Embedder
from twinvec.index import Index
from twinvec.model.dtypes import DTYPES
from twinvec.site.build import build_site
from twinvec.site.sample import SAMPLE_QUERY
from twinvec.site.sizes import measure_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinvec.index import Hit


@click.command(
    epilog=examples(
        "twinvec site _site/search --index search-index",
        "twinvec site public --dtype w8",
    )
)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--model",
    help=f"Hub name or local folder.  [default: the model of --index, else {DEFAULT.name}]",
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(list(DTYPES)),
    help="Weights of the model; repeatable, the page's default first.  [default: the dtype of "
    "--index, else fp32]",
)
@click.option(
    "--index",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Index that `twinvec index` wrote.  [default: a sample]",
)
@click.option("--webgpu", is_flag=True, help="Let pages choose WebGPU (27 MB more to upload).")
@json_option
def site(
    *,
    out: Path,
    model: str | None,
    dtypes: Sequence[str],
    index: Path | None,
    webgpu: bool,
    as_json: bool,
) -> None:
    """Write the search box, its runtime, a model and an index into OUT.

    The folder is ready to upload. An index in OUT/index that you put there is kept; it must fit
    this model and dtype.
    """
    if not as_json:
        click.echo(f"Building {out} ...")
    if index and not dtypes:
        with closing(Embedder.from_fingerprint(Index.load(index).fingerprint, model)) as opened:
            model, dtypes = model or opened.info.name, [opened.dtype]
    dtypes = dtypes or ["fp32"]
    with closing(ProgressBars()) as bars:
        embedder, site_index = build_site(
            out,
            model,
            dtypes=dtypes,
            index=index,
            webgpu=webgpu,
            on_compress=bars.callback("Compressing", "files"),
        )
    with closing(embedder):
        hits = [] if index else site_index.search(SAMPLE_QUERY, embedder)
    parts = measure_parts(out)
    total = sum(size for size, _ in parts.values())
    name = embedder.info.name
    if as_json:
        click.echo(json.dumps({"out": str(out), "model": name, "dtypes": dtypes, "bytes": total}))
        return
    click.echo(f"{out} is ready: {name} ({', '.join(dtypes)}), {total / 1e6:.1f} MB in all.")
    _show(parts, hits)


def _show(parts: Mapping[str, tuple[int, int]], hits: Sequence[Hit]) -> None:
    """Print the size of each part, and the hits of the sample query."""
    for part, (size, brotli_size) in parts.items():
        click.echo(f"  {part:17}{size / 1e6:7.2f} MB, {brotli_size / 1e6:6.2f} MB as Brotli")
    if hits:
        click.echo(f"\n{SAMPLE_QUERY}")
    for hit in hits:
        click.echo(f"  {hit.score:.4f}  {hit.text}")
