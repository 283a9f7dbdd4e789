"""`twinvec embed`: a file of texts becomes a file of vectors."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinvec.cli.options import INTERRUPTED, as_json, plural, which_model
from twinvec.cli.vectors_file import VectorsFile
from twinvec.documents.records import FORMATS, Corpus, Format, format_of
from twinvec.download import sha256_of
from twinvec.embedder import Embedder
from twinvec.errors import ParityWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDIN = Path("-")


@click.command()
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The .npy file to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file that --out names.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="How FILE is written; unless given, its suffix tells, and standard input is lines.",
)
@click.option("--field", help="Which field of a record is the text.  [default: text]")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="Stop at a record that gives no text, before anything is written; or leave it out, so "
    "that later rows move up. --json lists the line of each one left out.",
)
@click.option("--prompt", default="", help="Put before each text.")
@which_model
@click.option(
    "--max-length",
    type=click.IntRange(min=1),
    help="Tokens that a text may have; the model's own limit unless given.",
)
@as_json
def embed(
    *,
    file: Path,
    out: Path,
    overwrite: bool,
    format_: Format | None,
    field: str | None,
    on_error: str,
    prompt: str,
    model: str | None,
    dtype: str,
    revision: str | None,
    max_length: int | None,
    as_json: bool,
) -> None:
    """Embed the texts in FILE, or in standard input for -, into a NumPy file.

    FILE is UTF-8 text (.txt) in which every line is a text, an empty one too, so that row i is
    line i; or JSON Lines (.jsonl, .ndjson), CSV (.csv) or TSV (.tsv) with a header, or Parquet
    (.parquet). The vectors are float32 [texts, dim], in the order of FILE.

    After Ctrl+C or a crash the same command continues where the last one ended.
    """
    _check_out(out, overwrite=overwrite)
    format_ = format_ or ("lines" if file == _STDIN else format_of(file))
    if field and format_ == "lines":
        raise click.UsageError("--field is for records; a line of plain text has no fields")
    try:
        with _readable_twice(file) as copy:
            name = "stdin" if file == _STDIN else str(file)
            corpus = Corpus(copy, format_, field or "text", name)
            skipped: list[int] | None = [] if on_error == "skip" else None
            # Before the model is opened, so that a bad record is told at once.
            count = sum(1 for _ in corpus.texts(skipped))
            embedder = Embedder.from_pretrained(
                model, dtype=dtype, revision=revision, max_length=max_length
            )
            if embedder.parity == "approximate":
                warnings.warn(ParityWarning(), stacklevel=1)
            report = _embed(corpus, count, embedder, out, on_error=on_error, prompt=prompt)
            embedder.close()
    except KeyboardInterrupt:
        click.echo("Interrupted; run the same command to continue.", err=True)
        raise SystemExit(INTERRUPTED) from None
    report["skipped"] = skipped or []
    click.echo(json.dumps(report) if as_json else _sentence(report, corpus.unit))


def _check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse what could not be written, before the work."""
    if out.suffix != ".npy":
        raise click.BadParameter(f"{out} must end in .npy", param_hint="--out")
    if not out.parent.is_dir():
        raise click.ClickException(f"{out.parent} is not a folder; make it first")
    if out.exists() and not overwrite:
        raise click.ClickException(f"{out} is there already; choose another, or add --overwrite")


@contextmanager
def _readable_twice(file: Path) -> Iterator[Path]:
    """Copy standard input, or another pipe, into a temporary file."""
    if file != _STDIN and file.is_file():
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "input"
        with click.open_file(str(file), "rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield copy


def _embed(
    corpus: Corpus, count: int, embedder: Embedder, out: Path, *, on_error: str, prompt: str
) -> dict[str, Any]:
    """Write the vectors of `count` texts; gives the report, JSON-ready."""
    made_of = {
        "input_sha256": sha256_of(corpus.file),
        "format": corpus.format,
        "field": corpus.field,
        "on_error": on_error,
        "prompt": prompt,
        "fingerprint": embedder.fingerprint,
    }
    vectors = VectorsFile(out, (count, embedder.info.dim), made_of)
    continued = vectors.rows
    if continued:
        click.echo(f"Continuing {vectors.part} after {continued:,} of {count:,} texts.", err=True)
    elif vectors.part.exists():
        why = f" (other {', '.join(vectors.differing)})" if vectors.differing else ""
        click.echo(f"{vectors.part} cannot be continued{why}; starting anew.", err=True)
    start = time.perf_counter()
    texts = corpus.texts([] if on_error == "skip" else None)
    vectors.fill(texts, embedder, prompt)
    return {
        "count": count,
        "continued": continued,
        "dim": embedder.info.dim,
        "out": str(out),
        "model": embedder.info.name,
        "dtype": embedder.dtype,
        "fingerprint": embedder.fingerprint,
        "truncated": vectors.truncated,
        "seconds": round(time.perf_counter() - start, 3),
    }


def _sentence(report: dict[str, Any], unit: str) -> str:
    count, seconds = report["count"], report["seconds"]
    rate = (count - report["continued"]) / max(seconds, 0.001)
    sentence = (
        f"{plural(count, 'text')} -> {report['out']}, float32 [{count}, {report['dim']}], "
        f"{seconds:.1f} s, {rate:,.0f} texts/s"
    )
    if report["truncated"]:
        cut, longest = plural(report["truncated"], "text"), report["fingerprint"]["max_length"]
        verb, their = ("was", "its") if report["truncated"] == 1 else ("were", "their")
        sentence += f"; {cut} {verb} longer than {longest} tokens and lost {their} tail"
    if report["skipped"]:
        first = ", ".join(map(str, report["skipped"][:5]))
        more = ", ..." if len(report["skipped"]) > 5 else ""
        left_out = plural(len(report["skipped"]), "record")
        sentence += f"; {left_out} left out: {unit} {first}{more}"
    return sentence
