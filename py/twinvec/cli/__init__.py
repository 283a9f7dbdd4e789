"""The `twinvec` command."""

from __future__ import annotations

import io
import sys
import warnings

import click

from twinvec.cli.convert import convert
from twinvec.cli.embed import embed
from twinvec.cli.index import index
from twinvec.cli.models import models
from twinvec.cli.search import search
from twinvec.cli.serve import serve
from twinvec.cli.site import site
from twinvec.cli.verify import verify
from twinvec.errors import TwinvecError

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


for command in (convert, embed, index, models, search, serve, site, verify):
    main.add_command(command)
