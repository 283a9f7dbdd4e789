"""`twinvec serve`: show a built site on this computer."""

from __future__ import annotations

import json
from pathlib import Path

import click

from twinvec.cli.options import examples, json_option
from twinvec.site.serve import make_server


@click.command(epilog=examples("twinvec serve _site", "twinvec serve _site --port 0 --isolated"))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 for any free port.",
)
@click.option("--isolated", is_flag=True, help="Send COOP and COEP (cross-origin isolation).")
@json_option
def serve(folder: Path, port: int, isolated: bool, as_json: bool) -> None:
    """Serve the site in FOLDER on this computer, for a preview."""
    try:
        server = make_server(folder, port, isolated=isolated)
    except OSError as err:
        message = f"port {port}: {err.strerror}; choose another port with --port"
        raise click.ClickException(message) from err
    with server:
        url = f"http://localhost:{server.server_port}/"
        message = f"Serving {folder} at {url} (press Ctrl+C to stop)"
        click.echo(json.dumps({"folder": str(folder), "url": url}) if as_json else message)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
