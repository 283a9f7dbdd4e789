"""`twinvec certify`: compare browsers with CPython."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinvec.certify.engines import ENGINES, missing_part
from twinvec.certify.html import render
from twinvec.certify.texts import default_sample, sample_of
from twinvec.cli.options import examples
from twinvec.documents.on_error import raise_error
from twinvec.documents.records.formats import format_of, read_texts
from twinvec.model.dtypes import DTYPES
from twinvec.site.build import build_site

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twinvec.certify.texts import Sample

QUICK_STRINGS, STRINGS = 20_000, 1_000_000

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog=examples(
        "twinvec certify --site public --quick",
        "twinvec certify my-model-onnx --dtype w8 --html certificate.html",
        "twinvec certify --site public --page",
    )
)
@click.argument("model", required=False)
@click.option(
    "--site",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Compare the model of a site that `twinvec site` wrote, over its own files.",
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(list(DTYPES)),
    help="Weights to compare; repeatable.  [default: all of the site's, else fp32]",
)
@click.option(
    "--engines",
    help=f"Names with commas between, of {', '.join(ENGINES)}.  [default: all that are installed]",
)
@click.option(
    "--texts", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="File of texts."
)
@click.option(
    "--strings",
    type=click.IntRange(min=0),
    help=f"Random strings to tokenize.  [default: {STRINGS:,}, with --quick {QUICK_STRINGS:,}]",
)
@click.option("--quick", is_flag=True, help="Fewer texts, strings and conditions.")
@click.option("--page", is_flag=True, help="Only write SITE/certify/, to open in any browser.")
@click.option("--json", "json_file", type=FILE, help="Write the certificate as JSON.")
@click.option("--html", "html_file", type=FILE, help="Write the certificate as HTML, with plots.")
def certify(
    *,
    model: str | None,
    site: Path | None,
    dtypes: Sequence[str],
    engines: str | None,
    texts: Path | None,
    strings: int | None,
    quick: bool,
    page: bool,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Compare the vectors, token ids and searches of browsers with those of CPython.

    MODEL is a Hub name or a local folder. Each engine that is installed runs each dtype: with one
    session and several, with and without cross-origin isolation and JSPI. The exit code is 1 if a
    dtype of exact parity differs by more than 5e-7, or if engines do not have the same bits.
    """
    if model and site:
        raise click.UsageError("name either MODEL or --site")
    if page and not site:
        raise click.UsageError("--page needs --site")
    # Imported here because every other command would wait for ONNX Runtime.
    from twinvec.certify import certificate as certificates
    from twinvec.certify.page import FOLDER, write_page

    sample = choose_sample(texts, quick=quick)
    if page and site:
        write_page(site, site / FOLDER, sample, dtypes=dtypes)
        click.echo(f"{site / FOLDER} is ready: open {FOLDER}/ of the site in any browser.")
        return
    names = choose_engines(engines)
    with nullcontext(site) if site else temporary_site(model, dtypes) as folder:
        certificate = certificates.certify(
            folder,
            engines=names,
            sample=sample,
            dtypes=dtypes,
            strings=(QUICK_STRINGS if quick else STRINGS) if strings is None else strings,
            quick=quick,
            report=click.echo,
        )
    write_certificate(certificate, json_file, html_file)
    for failure in certificate["failures"]:
        click.echo(f"FAILED: {failure}", err=True)
    if certificate["failures"]:
        raise SystemExit(1)
    click.echo(f"Same text, same vector: CPython, {', '.join(certificate['engines'].values())}.")


@contextmanager
def temporary_site(model: str | None, dtypes: Sequence[str]) -> Iterator[Path]:
    """Build a site of a model, for as long as it is compared."""
    with tempfile.TemporaryDirectory(prefix="twinvec-") as folder:
        click.echo("Building a site of the model ...")
        embedder, _ = build_site(Path(folder), model, dtypes=dtypes or ["fp32"])
        embedder.close()
        yield Path(folder)


def write_certificate(
    certificate: dict[str, Any], json_file: Path | None, html_file: Path | None
) -> None:
    """Write a certificate into the files that are named."""
    if json_file:
        json_file.write_text(json.dumps(certificate, indent=1) + "\n", encoding="utf-8")
    if html_file:
        html_file.write_text(render(certificate), encoding="utf-8")


def choose_sample(file: Path | None, *, quick: bool) -> Sample:
    """Read the texts of a file; without one return built-in texts."""
    if file is None:
        return default_sample(quick=quick)
    form = format_of(file)
    texts = read_texts(file, form, name=str(file), field="text", on_error=raise_error)
    return sample_of(list(texts))


def choose_engines(names: str | None) -> list[str]:
    """Split the names of engines; without names return all that are installed."""
    if names is not None:
        chosen = [name.strip() for name in names.split(",")]
        for reason in filter(None, map(missing_part, chosen)):
            raise click.ClickException(reason)
        return chosen
    reasons = {name: missing_part(name) for name in ENGINES}
    for reason in filter(None, reasons.values()):
        click.echo(f"Left out: {reason}", err=True)
    if all(reasons.values()):
        raise click.ClickException("no browser engine is installed")
    return [name for name, reason in reasons.items() if reason is None]
