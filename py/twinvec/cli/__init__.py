"""The `twinvec` command."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinvec.cli.embed import embed
from twinvec.embedder import Embedder
from twinvec.errors import TwinvecError
from twinvec.folder import DERIVED, onnx_path
from twinvec.probes import PROBES
from twinvec.serve import make_server
from twinvec.site import SAMPLE_QUERY, build_site

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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


main.add_command(embed)


@main.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--model", help="Hub name or local folder; the default model unless given.")
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    default=["fp32"],
    show_default=True,
    help="Which weights; may be given several times, the default one first.",
)
def site(out: Path, model: str | None, dtypes: tuple[str, ...]) -> None:
    """Write a static site with runtime, model, page and a sample index into OUT."""
    click.echo(f"Building {out} ...")
    embedder, index = build_site(out, model, dtypes=dtypes)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    name = f"{embedder.info.name} ({', '.join(dtypes)})"
    click.echo(f"{out} is ready: {name}, {size / 1e6:.1f} MB in all.")
    click.echo(f"\n{SAMPLE_QUERY}")
    for hit in index.search(SAMPLE_QUERY, embedder):
        click.echo(f"  {hit.score:.4f}  {hit.text}")
    embedder.close()


@main.command()
@click.argument("src", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("dst", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(["fp32", *DERIVED]),
    default=["fp32", *DERIVED],
    show_default=True,
    help="Which weights; may be given several times.",
)
def convert(src: Path, dst: Path, dtypes: tuple[str, ...]) -> None:
    """Make a Transformers.js-layout folder DST of SRC.

    SRC holds onnx/model.onnx, or model.safetensors of a BERT encoder, with config.json and the
    tokenizer's files. How near each dtype comes to fp32 is measured on a few built-in texts.
    """
    if dst.exists() and any(dst.iterdir()):
        raise click.ClickException(f"{dst} is not empty; choose another folder")
    from twinvec.convert import convert_folder

    with tempfile.TemporaryDirectory() as temporary:
        # Its fp32 weights are what the others are compared with, wanted or not.
        full = convert_folder(src, Path(temporary) / "fp32")
        convert_folder(full, dst, dtypes)
        expected = _probe_vectors(full, "fp32")
    for dtype in dtypes:
        size = (dst / onnx_path(dtype)).stat().st_size
        cosine = (expected * _probe_vectors(dst, dtype)).sum(axis=1).min()
        click.echo(f"{dtype:5} {size / 1e6:8.1f} MB  lowest cosine to fp32 {cosine:.6f}")


def _probe_vectors(folder: Path, dtype: str) -> NDArray[np.float32]:
    embedder = Embedder.from_pretrained(folder, dtype=dtype)
    vectors = embedder.encode(PROBES)
    embedder.close()
    return vectors


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
