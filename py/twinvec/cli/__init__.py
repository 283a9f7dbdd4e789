"""The `twinvec` command."""

from __future__ import annotations

import io
import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinvec.cli.embed import embed
from twinvec.cli.index import index, search
from twinvec.cli.models import convert, models, verify
from twinvec.cli.options import as_json
from twinvec.errors import TwinvecError
from twinvec.index import Index
from twinvec.model.dtypes import DTYPES
from twinvec.reopen import reopen
from twinvec.site.build import SAMPLE_QUERY, build_site, sizes
from twinvec.site.serve import make_server

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


class _Commands(click.Group):
    """Shows twinvec's own errors as a message, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (TwinvecError, OSError, ValueError) as err:
            # OSError: a full disk, no right to write; ValueError: a limit above the model's own
            raise click.ClickException(f"{type(err).__name__}: {err}") from err


@click.group(cls=_Commands)
@click.version_option(package_name="twinvec")
def main() -> None:
    """Embed text on CPython and in the browser: same text, same vector."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # texts have what a terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    # A reader of a terminal needs the message, not the line of Python that warned.
    warnings.showwarning = lambda message, *_args, **_kwargs: click.echo(
        f"Warning: {message}", err=True
    )


@main.command()
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
        made_with = reopen(Index.load(index).fingerprint, model)
        model, dtypes = model or made_with.info.name, [made_with.dtype]
        made_with.close()
    dtypes = dtypes or ["fp32"]
    embedder, searched = build_site(out, model, dtypes=dtypes, index=index, webgpu=webgpu)
    parts = sizes(out)
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


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0 for any free one.",
)
@click.option("--isolated", is_flag=True, help="Send COOP and COEP (cross-origin isolation).")
@as_json
def serve(folder: Path, port: int, isolated: bool, as_json: bool) -> None:
    """Serve a built FOLDER on this machine, for looking at it."""
    try:
        server = make_server(folder, port, isolated=isolated)
    except OSError as err:
        raise click.ClickException(f"port {port}: {err.strerror}; choose another: --port") from err
    with server:
        url = f"http://localhost:{server.server_port}/"
        said = f"Serving {folder} at {url} (Ctrl+C ends it)"
        click.echo(json.dumps({"folder": str(folder), "url": url}) if as_json else said)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Ended.", err=True)


for verb in (convert, embed, index, models, search, verify):
    main.add_command(verb)
