"""`twinvec search`: search an index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from twinvec.cli.options import as_json, open_embedder
from twinvec.index import Index
from twinvec.index.search import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinvec.index import Document, Hit

_SHOWN_LINES = 3
_WIDTH = 100


@click.command()
@click.argument("location", metavar="INDEX", type=click.Path(exists=True, path_type=Path))
@click.argument("query")
@click.option("-k", default=10, show_default=True, type=click.IntRange(min=1), help="Hits at most.")
@click.option(
    "--mode",
    type=click.Choice(get_args(Mode)),
    help="By meaning, by words, or both.  [default: hybrid, semantic where there are no terms]",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only passages with this in their metadata, such as page=3, or in a list there; "
    "repeatable, all must hold.",
)
@click.option("--model", help="Where the model is, if its name does not tell.")
@as_json
def search(
    *,
    location: Path,
    query: str,
    k: int,
    mode: Mode | None,
    filters: Sequence[str],
    model: str | None,
    as_json: bool,
) -> None:
    """Search INDEX for QUERY, with the model and dtype that it was built with.

    INDEX is a folder, or a .zip file of one.
    """
    wanted = _pairs(filters)
    opened = Index.load(location)
    mode = mode or ("hybrid" if opened.lexical else "semantic")
    embedder = None if mode == "lexical" else open_embedder(opened.fingerprint, model)

    def accept(document: Document) -> bool:
        return all(_has(document, key, value) for key, value in wanted)

    hits = opened.search(query, embedder, k=k, mode=mode, filter=accept if wanted else None)
    if embedder:
        embedder.close()
    if as_json:
        click.echo(json.dumps([vars(hit) for hit in hits]))
        return
    for rank, hit in enumerate(hits, 1):
        click.echo(_shown(rank, hit))
    if not hits:
        click.echo("Nothing was found.")


def _has(document: Document, key: str, value: str) -> bool:
    """Compare as `Index.search` does, but by what is shown of a value: a shell has only strings."""
    found = document.metadata.get(key, [])
    return value in map(str, found if isinstance(found, list) else [found])


def _pairs(filters: Sequence[str]) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in filters]
    for key, equals, _ in pairs:
        if not equals:
            raise click.BadParameter(f"{key!r} is not KEY=VALUE", param_hint="--filter")
    return [(key, value) for key, _, value in pairs]


def _shown(rank: int, hit: Hit) -> str:
    lines = [line for line in hit.text.splitlines() if line.strip()]
    cut = [line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…" for line in lines]
    more = "\n    …" if len(lines) > _SHOWN_LINES else ""
    body = "".join(f"\n    {line}" for line in cut[:_SHOWN_LINES])
    return f"{rank:2}  {hit.score:.4f}  {hit.metadata.get('url', hit.id)}{body}{more}"
