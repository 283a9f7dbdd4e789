"""`twinvec index`: files become an index."""

from __future__ import annotations

import json
import logging
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from twinvec.cli.console import exit_on_interrupt, plural
from twinvec.cli.engine import EngineChoice, engine_options
from twinvec.cli.options import ModelChoice, examples, json_option, model_options
from twinvec.cli.progress import ProgressBars
from twinvec.cli.reading import ReadingChoice, ReadingOutcome, reading_options
from twinvec.documents.chunker import MAX_TOKENS, OVERLAP_TOKENS, Chunker
from twinvec.index.format import Precision
from twinvec.index.stores.zip import is_archive
from twinvec.index.writing.shards import check_folder
from twinvec.index.writing.update import write_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinvec.embedder import Embedder
    from twinvec.index.writing.update import Written


@click.command(
    epilog=examples(
        'twinvec index _site -o search-index --include "*.html" --url-prefix /',
        'twinvec index "docs/**/*.md" faq.csv --field answer -o search-index',
    )
)
@click.argument("src", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the index; an existing index is updated.",
)
@reading_options
@model_options
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    help="Type of the stored vectors.  [default: as in the existing index; else float32, above "
    "5,000 passages int8]",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    help=f"Limit of tokens per passage.  [default: {MAX_TOKENS}, or the model's limit]",
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    default=OVERLAP_TOKENS,
    show_default=True,
    help="Tokens that a passage may repeat from the end of the one before, in whole sentences.",
)
@click.option("--no-lexical", is_flag=True, help="Omit the terms that --mode hybrid needs.")
@engine_options
@json_option
def index(
    *,
    src: Sequence[str],
    out: Path,
    reading: ReadingChoice,
    model: ModelChoice,
    precision: Precision | None,
    max_tokens: int | None,
    overlap: int,
    no_lexical: bool,
    engine: EngineChoice,
    as_json: bool,
) -> None:
    """Index files for semantic search.

    SRC is a file, a folder, or a quoted glob such as "docs/**/*.md". Text, Markdown, HTML, JSON
    Lines, CSV, TSV, Parquet and PDF are read. Names that begin with a dot are left out. Files are
    cut into passages by headings, paragraphs and tokens.

    Passages that the index already has are not embedded again. If the command is interrupted, the
    index is unchanged; run the command again to resume.
    """
    _check_out(out)
    engine.check()
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of damage that it repairs
    start = time.perf_counter()
    outcome = ReadingOutcome(reading.find(src))
    message = f"Interrupted; {out} is unchanged. Run the same command again to resume."
    with exit_on_interrupt(message), closing(model.open()) as embedder:
        chunker = Chunker(embedder, max_tokens, overlap)
        with engine.open(embedder, model) as opened_engine, closing(ProgressBars()) as bars:
            written = write_index(
                reading.passages(chunker, outcome),
                out,
                embedder,
                precision=precision,
                lexical=not no_lexical,
                engine=opened_engine,
                on_read=bars.callback("Reading", "passages"),
                on_embed=bars.callback("Embedding", "passages"),
            )
    outcome.show()
    report = {
        "out": str(out),
        "files": len(outcome.sources),
        **_facts(written, embedder, chunker),
        **outcome.report(),
        "seconds": round(time.perf_counter() - start, 3),
    }
    click.echo(json.dumps(report) if as_json else _summary(report))


def _check_out(out: Path) -> None:
    """Refuse a folder that is no index, before the work."""
    if is_archive(out):
        raise click.UsageError(
            f"-o {out}: an archive cannot be updated; name a folder, and pack it afterwards in "
            f"Python: Index.load(folder).save({out.name!r})"
        )
    check_folder(out)


def _facts(written: Written, embedder: Embedder, chunker: Chunker) -> dict[str, Any]:
    """Describe a written index, for JSON."""
    return {
        "passages": written.passages,
        "embedded": written.embedded,
        "model": embedder.info.name,
        "dtype": embedder.dtype,
        "precision": written.precision,
        "max_tokens": chunker.max_tokens,
        "overlap": chunker.overlap,
        "fingerprint": embedder.fingerprint,
    }


def _summary(report: dict[str, Any]) -> str:
    embedded, reused = report["embedded"], report["passages"] - report["embedded"]
    return (
        f"{plural(report['files'], 'file')} -> {plural(report['passages'], 'passage')} in "
        f"{report['out']}; {embedded:,} embedded, {reused:,} reused, {report['seconds']:.1f} s"
    )
