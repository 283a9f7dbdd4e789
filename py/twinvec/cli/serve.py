"""`twinvec serve`: show a built site on this computer."""

from __future__ import annotations

import json
from pathlib import Path

import click

from twinvec.cli.options import as_json
from twinvec.site.serve import make_server


@click.command()
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
