"""The `twinvec` command."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from twinvec.errors import TwinvecError
from twinvec.serve import make_server
from twinvec.site import SAMPLE_QUERY, build_site

__all__ = ["main"]


class _Commands(click.Group):
    """Shows twinvec's own errors as a message, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (TwinvecError, OSError) as err:  # OSError: a full disk, no right to write
            raise click.ClickException(f"{type(err).__name__}: {err}") from err


@click.group(cls=_Commands)
@click.version_option(package_name="twinvec")
def main() -> None:
    """Embed text on CPython and in the browser: same text, same vector."""
    # A reader of a terminal needs the message, not the line of Python that warned.
    warnings.showwarning = lambda message, *_args, **_kwargs: click.echo(
        f"Warning: {message}", err=True
    )


@main.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--model", help="Hub name or local folder; the default model unless given.")
@click.option("--dtype", default="fp32", show_default=True, help="Which weights.")
def site(out: Path, model: str | None, dtype: str) -> None:
    """Write a static site with runtime, model, page and a sample index into OUT."""
    click.echo(f"Building {out} ...")
    embedder, index = build_site(out, model, dtype=dtype)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    click.echo(f"{out} is ready: {embedder.info.name} ({dtype}), {size / 1e6:.1f} MB in all.")
    click.echo(f"\n{SAMPLE_QUERY}")
    for hit in index.search(SAMPLE_QUERY, embedder):
        click.echo(f"  {hit.score:.4f}  {hit.text}")
    embedder.close()


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
def serve(folder: Path, port: int, isolated: bool) -> None:
    """Serve a built FOLDER on this machine, for looking at it."""
    try:
        server = make_server(folder, port, isolated=isolated)
    except OSError as err:
        raise click.ClickException(f"port {port}: {err.strerror}; choose another: --port") from err
    with server:
        click.echo(f"Serving {folder} at http://localhost:{server.server_port}/ (Ctrl+C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Ended.")
