"""The `twinvec` command, with a module for each of its commands."""

from __future__ import annotations

import io
import sys
import warnings

import click

from twinvec.cli.certify import certify
from twinvec.cli.convert import convert
from twinvec.cli.embed import embed
from twinvec.cli.hints import message_with_hints
from twinvec.cli.index import index
from twinvec.cli.models import models
from twinvec.cli.search import search
from twinvec.cli.serve import serve
from twinvec.cli.site import site
from twinvec.cli.verify import verify
from twinvec.errors import TwinvecError

__all__ = ["main"]


class _Group(click.Group):
    """Shows errors of the library as a message with hints, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (TwinvecError, OSError, ValueError) as err:
            # OSError: a full disk, for example; ValueError: a limit above the model's own.
            command = self.commands[str(ctx.invoked_subcommand)]
            raise click.ClickException(message_with_hints(err, command)) from err


@click.group(cls=_Group)
@click.version_option(package_name="twinvec")
def main() -> None:
    """Embed text on CPython and in the browser: same text, same vector."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # texts may have characters it cannot encode
            stream.reconfigure(errors="backslashreplace")
    # Print the message of a warning only, without the line of Python that raised it.
    warnings.showwarning = lambda message, *_args, **_kwargs: click.echo(
        f"Warning: {message}", err=True
    )


for command in (certify, convert, embed, index, models, search, serve, site, verify):
    main.add_command(command)
