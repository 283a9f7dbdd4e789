"""`twinvec embed`: a file of texts becomes a file of vectors."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import warnings
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinvec.cli.console import exit_on_interrupt, first_lines, plural
from twinvec.cli.options import (
    ModelChoice,
    examples,
    json_option,
    model_options,
    on_error_option,
)
from twinvec.cli.progress import ProgressBars
from twinvec.cli.vectors_file import VectorsFile
from twinvec.documents.on_error import raise_error
from twinvec.documents.records.formats import FORMATS, format_of, read_texts
from twinvec.download import sha256_of
from twinvec.errors import FileError, ParityWarning, RecordError
from twinvec.files.atomic import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinvec.embedder import Embedder

_STDIN = Path("-")


@dataclass(frozen=True)
class _Input:
    """A file of texts, and how to read it."""

    file: Path
    name: str
    format: str
    field: str
    on_error: str

    def texts(self, skipped: _SkippedRecords) -> Iterator[str]:
        """Yield the texts; `--on-error` decides whether bad records are raised or skipped."""
        return read_texts(
            self.file,
            self.format,
            name=self.name,
            field=self.field,
            on_error=skipped.add if self.on_error == "skip" else raise_error,
        )


class _SkippedRecords:
    """Collects the lines of records without a text."""

    def __init__(self) -> None:
        self.unit = ""
        self.lines: list[int] = []

    def add(self, error: FileError) -> None:
        """Note a record; any other error is raised."""
        if not isinstance(error, RecordError):
            raise error
        self.unit = error.unit
        self.lines.append(error.line)


@click.command(
    epilog=examples(
        "twinvec embed texts.txt --out vectors.npy",
        "twinvec embed articles.csv --field body --out vectors.npy --dtype w8",
    )
)
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The .npy file to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing output file.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    help="Format of FILE.  [default: by its suffix; lines for standard input]",
)
@click.option("--field", help="Field of a record that holds the text.  [default: text]")
@on_error_option
@click.option("--prompt", default="", help="Text to put before each text.")
@model_options
@click.option(
    "--max-length",
    type=click.IntRange(min=1),
    help="Limit of tokens per text; the rest is cut off.  [default: the model's limit]",
)
@json_option
def embed(
    *,
    file: Path,
    out: Path,
    overwrite: bool,
    format_: str | None,
    field: str | None,
    on_error: str,
    prompt: str,
    model: ModelChoice,
    max_length: int | None,
    as_json: bool,
) -> None:
    """Embed the texts in FILE and write their vectors as a NumPy file.

    FILE is UTF-8 text (.txt) with one text in each line, JSON Lines (.jsonl, .ndjson), CSV (.csv)
    or TSV (.tsv) with a header, Parquet (.parquet), or - for standard input. The vectors are
    float32 [texts, dim], in the order of FILE. An empty line of plain text is a text too, so row i
    belongs to line i. With --on-error skip, later rows move up.

    If the command is interrupted, run it again to resume.
    """
    _check_out(out, overwrite=overwrite)
    format_ = format_ or ("lines" if file == _STDIN else format_of(file))
    if field and format_ == "lines":
        raise click.UsageError("--field is for records; a line of plain text has no fields")
    with (
        exit_on_interrupt("Interrupted; run the same command again to resume."),
        _readable_twice(file) as copy,
        locked(out),
    ):
        name = "stdin" if file == _STDIN else str(file)
        source = _Input(copy, name, format_, field or "text", on_error)
        skipped = _SkippedRecords()
        # Count before opening the model, so that a bad record is reported at once.
        count = sum(1 for _ in source.texts(skipped))
        with closing(model.open(max_length)) as embedder:
            if embedder.parity == "approximate":
                warnings.warn(ParityWarning(), stacklevel=1)
            report = _embed(source, count, embedder, out, prompt)
    report["skipped"] = skipped.lines
    click.echo(json.dumps(report) if as_json else _summary(report, skipped.unit))


def _check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse an output file that cannot be written, before the work."""
    if out.suffix != ".npy":
        raise click.BadParameter(f"{out} must end in .npy", param_hint="--out")
    if not out.parent.is_dir():
        raise click.ClickException(f"{out.parent} is not a folder; create it first")
    if out.exists() and not overwrite:
        raise click.ClickException(f"{out} exists; choose another file, or add --overwrite")


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
    source: _Input, count: int, embedder: Embedder, out: Path, prompt: str
) -> dict[str, Any]:
    """Write the vectors of `count` texts, and return a report for JSON."""
    vectors = VectorsFile(
        out,
        (count, embedder.info.dim),
        {
            "input_sha256": sha256_of(source.file),
            "format": source.format,
            "field": source.field,
            "on_error": source.on_error,
            "prompt": prompt,
            "fingerprint": embedder.fingerprint,
        },
    )
    resumed_rows = vectors.rows
    _report_part(vectors, count)
    texts = source.texts(_SkippedRecords())  # bad records were reported while counting
    start = time.perf_counter()
    with closing(ProgressBars()) as bars:
        progress = bars.callback("Embedding", "texts", initial=resumed_rows)
        vectors.fill(texts, embedder, prompt, progress)
    return {
        "count": count,
        "continued": resumed_rows,
        "dim": embedder.info.dim,
        "out": str(out),
        "model": embedder.info.name,
        "dtype": embedder.dtype,
        "fingerprint": embedder.fingerprint,
        "truncated": vectors.truncated,
        "seconds": round(time.perf_counter() - start, 3),
    }


def _report_part(vectors: VectorsFile, count: int) -> None:
    """Print whether the rows of an interrupted run are reused."""
    if vectors.rows:
        click.echo(f"Resuming {vectors.part} after {vectors.rows:,} of {count:,} texts.", err=True)
    elif vectors.part.exists():
        names = ", ".join(vectors.differing)
        reason = f" (different {names})" if names else ""
        click.echo(f"{vectors.part} cannot be resumed{reason}; starting again.", err=True)


def _summary(report: dict[str, Any], unit: str) -> str:
    count, seconds = report["count"], report["seconds"]
    rate = (count - report["continued"]) / max(seconds, 0.001)
    summary = (
        f"{plural(count, 'text')} -> {report['out']}, float32 [{count}, {report['dim']}], "
        f"{seconds:.1f} s, {rate:,.0f} texts/s"
    )
    if report["truncated"]:
        truncated, limit = plural(report["truncated"], "text"), report["fingerprint"]["max_length"]
        summary += f"; {truncated} longer than {limit} tokens, cut off there"
    if report["skipped"]:
        skipped = plural(len(report["skipped"]), "record")
        summary += f"; {skipped} left out: {first_lines(unit, report['skipped'])}"
    return summary
