"""`twinvec index`: files become an index."""

from __future__ import annotations

import json
import logging
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from twinvec.cli.options import INTERRUPTED, as_json, plural, which_model
from twinvec.documents.chunker import MAX_TOKENS, OVERLAP, Chunker
from twinvec.documents.find import find_sources
from twinvec.documents.passages import read_passages
from twinvec.embedder import Embedder
from twinvec.errors import CorpusError
from twinvec.index.format import Precision
from twinvec.index.stores.zip import is_archive
from twinvec.index.writing.shards import check_folder
from twinvec.index.writing.update import write_index

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from twinvec.index import Document
    from twinvec.index.writing.update import Engine


@click.command()
@click.argument("src", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the index; one that is there is brought up to date.",
)
@click.option("--include", multiple=True, help="Only files whose name or path matches; repeatable.")
@click.option("--exclude", multiple=True, help="No files whose name or path matches; repeatable.")
@click.option(
    "--field",
    default="text",
    show_default=True,
    help="Which field is the text, in JSON Lines, CSV, TSV and Parquet.",
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="Stop at a file or record that cannot be read, before anything is embedded; or leave it "
    "out, and name it at the end.",
)
@click.option("--url-prefix", help="Put before a file's path to make a link to it.")
@which_model
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    help="How vectors are stored.  [default: as in the index that is there, else float32, above "
    "5,000 passages int8]",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    help=f"Tokens of a passage.  [default: {MAX_TOKENS}, or what the model takes]",
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    default=OVERLAP,
    show_default=True,
    help="Tokens that a passage may repeat of the one before it, in whole sentences.",
)
@click.option("--no-lexical", is_flag=True, help="Leave out the terms that --mode hybrid needs.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Embed in this process, or on a Ray cluster; the index is the same.",
)
@click.option(
    "--address", help="The Ray cluster, host:port or auto.  [default: one that runs here]"
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes on the Ray cluster, of one core each.  [default: all of its cores]",
)
@as_json
def index(
    *,
    src: Sequence[str],
    out: Path,
    include: Sequence[str],
    exclude: Sequence[str],
    field: str,
    on_error: str,
    url_prefix: str | None,
    model: str | None,
    dtype: str,
    revision: str | None,
    precision: Precision | None,
    max_tokens: int | None,
    overlap: int,
    no_lexical: bool,
    engine: str,
    address: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Index the files SRC..., for searching them by meaning.

    SRC is a file, a folder with all below it but what begins with a dot, or a quoted glob such as
    "docs/**/*.md". Read are text, Markdown, HTML, JSON Lines, CSV, TSV, Parquet and PDF, by their
    suffixes. They are cut into passages by headings, paragraphs and tokens.

    Passages that the index has already are not embedded again. After Ctrl+C or a crash it is as it
    was, and the same command goes on with what was embedded.
    """
    _check_out(out)
    _check_engine(engine, address, workers)
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of all that it mends itself
    start = time.perf_counter()
    sources = find_sources(src, include=include, exclude=exclude)
    try:
        embedder = Embedder.from_pretrained(model, dtype=dtype, revision=revision)
        chunker = Chunker(embedder, max_tokens, overlap)
        problems: dict[str, str] | None = {} if on_error == "skip" else None
        passages = read_passages(
            sources, chunker, field=field, url_prefix=url_prefix, problems=problems
        )
        silent = {source.name: None for source in sources}
        with _engine(
            engine,
            embedder,
            model=model,
            revision=revision,
            address=address,
            workers=workers,
        ) as elsewhere:
            written = write_index(
                _heard(passages, silent, problems, out),
                out,
                embedder,
                precision=precision,
                lexical=not no_lexical,
                engine=elsewhere,
            )
    except KeyboardInterrupt:
        click.echo(f"Interrupted; {out} is as it was. Run the same command to go on.", err=True)
        raise SystemExit(INTERRUPTED) from None
    report = {
        "out": str(out),
        "files": len(sources),
        "passages": written.passages,
        "embedded": written.embedded,
        "model": embedder.info.name,
        "dtype": dtype,
        "precision": written.precision,
        "max_tokens": chunker.max_tokens,
        "overlap": overlap,
        "fingerprint": embedder.fingerprint,
        **_left_out(silent, problems),
        "seconds": round(time.perf_counter() - start, 3),
    }
    embedder.close()
    _tell(report, as_json=as_json)


def _check_out(out: Path) -> None:
    """Refuse a folder of something else, before the work."""
    if is_archive(out):
        raise click.UsageError(
            f"-o {out}: an index is brought up to date in a folder; name one, and pack it "
            f"afterwards in Python: Index.load(folder).save({out.name!r})"
        )
    check_folder(out)


def _check_engine(engine: str, address: str | None, workers: int | None) -> None:
    """Refuse what does not fit, before the work."""
    if engine == "local":
        if address or workers:
            raise click.UsageError("--address and --workers are for --engine ray")
        return
    try:
        import twinvec.index.writing.ray_engine  # noqa: F401 (whether it can be)
    except ImportError as err:
        raise click.ClickException(
            f"--engine ray needs Ray Data: pip install 'twinvec[ray]' ({err})"
        ) from err


def _engine(
    engine: str,
    embedder: Embedder,
    *,
    model: str | None,
    revision: str | None,
    address: str | None,
    workers: int | None,
) -> AbstractContextManager[Engine | None]:
    if engine == "local":
        return nullcontext()
    from twinvec.index.writing.ray_engine import RayEngine

    # By name, what stands in for the default too; a folder by a path that holds elsewhere.
    place = str(Path(model).resolve()) if model and Path(model).is_dir() else embedder.info.name
    opened = partial(Embedder.from_pretrained, place, dtype=embedder.dtype, revision=revision)
    return RayEngine(opened, embedder.fingerprint, address=address, workers=workers)


def _heard(
    passages: Iterator[Document],
    silent: dict[str, None],
    problems: dict[str, str] | None,
    out: Path,
) -> Iterator[Document]:
    """Pass passages on, and strike out their sources; without any, an index would be emptied."""
    sources = len(silent)
    for passage in passages:
        silent.pop(passage.metadata["source"], None)
        yield passage
    if len(silent) == sources:
        _tell_left_out(_left_out(silent, problems))
        raise CorpusError(f"no file gives a passage to index; {out} is as it was")


def _left_out(silent: dict[str, None], problems: dict[str, str] | None) -> dict[str, list[str]]:
    known = problems or {}
    without = [name for name in silent if name not in known]
    return {"problems": list(known.values()), "without_text": without}


def _tell_left_out(report: dict[str, Any]) -> None:
    for problem in report["problems"]:
        click.echo(f"Left out: {problem}", err=True)
    for name in report["without_text"]:
        click.echo(f"No text in {name}", err=True)


def _tell(report: dict[str, Any], *, as_json: bool) -> None:
    _tell_left_out(report)
    if as_json:
        click.echo(json.dumps(report))
        return
    embedded, seconds = report["embedded"], report["seconds"]
    click.echo(
        f"{plural(report['files'], 'file')} -> {plural(report['passages'], 'passage')} in "
        f"{report['out']}; {embedded:,} embedded, {report['passages'] - embedded:,} taken over, "
        f"{seconds:.1f} s"
    )
