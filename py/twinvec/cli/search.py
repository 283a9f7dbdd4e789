"""`twinvec search`: search an index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from twinvec.cli.options import examples, json_option
from twinvec.embedder import Embedder
from twinvec.index import Index
from twinvec.index.search import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinvec.index import Document, Hit

_MAX_LINES = 3
_MAX_COLUMNS = 100


@click.command(
    epilog=examples(
        'twinvec search search-index "how do I install it?" -k 3',
        'twinvec search search-index "install" --mode lexical --filter source=guide.html',
    )
)
@click.argument("location", metavar="INDEX", type=click.Path(exists=True, path_type=Path))
@click.argument("query")
@click.option(
    "-k", default=10, show_default=True, type=click.IntRange(min=1), help="Maximum number of hits."
)
@click.option(
    "--mode",
    type=click.Choice(get_args(Mode)),
    help="Search by meaning, by words, or by both.  [default: hybrid; semantic if the index has "
    "no terms]",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only passages with this value in their metadata, such as page=3, or in a list there; "
    "repeatable, all must match.",
)
@click.option("--model", help="Hub name or local folder.  [default: the name in the index]")
@json_option
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
    """Search INDEX for QUERY, with the index's own model and dtype.

    INDEX is a folder or a .zip file.
    """
    conditions = _conditions(filters)
    index = Index.load(location)
    mode = mode or ("hybrid" if index.lexical else "semantic")
    embedder = None if mode == "lexical" else Embedder.from_fingerprint(index.fingerprint, model)

    def accept(document: Document) -> bool:
        return all(_matches(document, key, value) for key, value in conditions)

    hits = index.search(query, embedder, k=k, mode=mode, filter=accept if conditions else None)
    if embedder:
        embedder.close()
    if as_json:
        click.echo(json.dumps([vars(hit) for hit in hits]))
        return
    for rank, hit in enumerate(hits, 1):
        click.echo(_format_hit(rank, hit))
    if not hits:
        click.echo("No hits.")


def _conditions(filters: Sequence[str]) -> list[tuple[str, str]]:
    """Split KEY=VALUE pairs."""
    parts = [condition.partition("=") for condition in filters]
    for key, equals, _ in parts:
        if not equals:
            raise click.BadParameter(f"{key!r} is not KEY=VALUE", param_hint="--filter")
    return [(key, value) for key, _, value in parts]


def _matches(document: Document, key: str, value: str) -> bool:
    """Compare as `Index.search` does, but as strings, since a shell has no other types."""
    stored = document.metadata.get(key, [])
    return value in map(str, stored if isinstance(stored, list) else [stored])


def _format_hit(rank: int, hit: Hit) -> str:
    """Format the rank, score, address and first lines of a hit."""
    lines = [line for line in hit.text.splitlines() if line.strip()]
    shown = [
        line if len(line) <= _MAX_COLUMNS else f"{line[: _MAX_COLUMNS - 1]}…"
        for line in lines[:_MAX_LINES]
    ]
    if len(lines) > _MAX_LINES:
        shown.append("…")
    address = hit.metadata.get("url", hit.id)
    return "\n    ".join([f"{rank:2}  {hit.score:.4f}  {address}", *shown])
