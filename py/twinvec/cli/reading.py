"""The options of `twinvec index` that choose and read files, and the outcome of reading them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from twinvec.cli.console import first_lines, plural
from twinvec.cli.options import on_error_option
from twinvec.documents.corpus import read_passages
from twinvec.documents.find import Source, find_sources
from twinvec.documents.on_error import raise_error
from twinvec.errors import CorpusError, RecordError
from twinvec.site.build import is_site

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from twinvec.cli.options import Command
    from twinvec.documents.chunker import Chunker
    from twinvec.errors import FileError
    from twinvec.index import Document


@dataclass(frozen=True)
class ReadingChoice:
    """The files to read, and how.

    Example:
        >>> choice = ReadingChoice(("*.html",), (), "text", "stop", "/")
        >>> sources = choice.find(["_site"])
    """

    include: Sequence[str]
    exclude: Sequence[str]
    field: str
    on_error: str
    url_prefix: str | None

    def find(self, names: Sequence[str]) -> list[Source]:
        """Find the files; see `find_sources`."""
        return find_sources(names, include=self.include, exclude=self.exclude, skip_folder=is_site)

    def passages(self, chunker: Chunker, outcome: ReadingOutcome) -> Iterator[Document]:
        """Yield the passages of the files of an outcome, and note problems there."""
        passages = read_passages(
            outcome.sources,
            chunker,
            field=self.field,
            url_prefix=self.url_prefix,
            on_error=outcome.skip if self.on_error == "skip" else raise_error,
        )
        return outcome.count(passages)


def reading_options(command: Command) -> Command:
    """Add the options of a `ReadingChoice`, which the command receives."""

    @click.option(
        "--include",
        multiple=True,
        metavar="PATTERN",
        help="Index only files whose name or path matches; repeatable.",
    )
    @click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Leave out files and folders whose name or path matches; repeatable.",
    )
    @click.option(
        "--field",
        default="text",
        show_default=True,
        help="Field that holds the text, in JSON Lines, CSV, TSV and Parquet.",
    )
    @on_error_option
    @click.option("--url-prefix", help="Text to put before a file's path to make its URL.")
    @wraps(command)
    def with_reading(
        *,
        include: Sequence[str],
        exclude: Sequence[str],
        field: str,
        on_error: str,
        url_prefix: str | None,
        **others: Any,
    ) -> None:
        command(reading=ReadingChoice(include, exclude, field, on_error, url_prefix), **others)

    return with_reading


class ReadingOutcome:
    """Counts the passages of each file, and collects the problems of skipped ones.

    Args:
        sources: the files.

    Example:
        >>> outcome = ReadingOutcome(choice.find(["_site"]))
        >>> documents = list(choice.passages(chunker, outcome))
        >>> outcome.report()["without_text"]
        ['empty.txt']
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self._passages = {source.name: 0 for source in sources}
        self._file_problems: dict[str, str] = {}
        self._bad_lines: dict[str, list[int]] = {}  # only numbers, since there may be millions
        self._units: dict[str, str] = {}

    def count(self, passages: Iterable[Document]) -> Iterator[Document]:
        """Pass passages on, and count them.

        Raises:
            CorpusError: there is no passage at all; an existing index would be emptied.
        """
        for passage in passages:
            self._passages[passage.metadata["source"]] += 1
            yield passage
        if not any(self._passages.values()):
            self.show()
            raise CorpusError("no file has a passage to index; nothing was written")

    def skip(self, error: FileError) -> None:
        """Note a file or record that is left out; a callback for `read_passages`."""
        if isinstance(error, RecordError):
            self._bad_lines.setdefault(error.name, []).append(error.line)
            self._units[error.name] = error.unit
            return
        passages = self._passages[error.name]
        indexed = f" (the {plural(passages, 'passage')} before are indexed)" if passages else ""
        self._file_problems[error.name] = f"{error}{indexed}"

    def report(self) -> dict[str, list[str]]:
        """Return the problems, and the names of files without text, for JSON."""
        problems, without_text = [], []
        for name, passages in self._passages.items():
            if name in self._file_problems:
                problems.append(self._file_problems[name])
            elif numbers := self._bad_lines.get(name):
                lines = first_lines(self._units[name], numbers)
                problems.append(f"{name}: {plural(len(numbers), 'record')} left out: {lines}")
            elif not passages:
                without_text.append(name)
        return {"problems": problems, "without_text": without_text}

    def show(self) -> None:
        """Print the report on standard error."""
        report = self.report()
        for problem in report["problems"]:
            click.echo(f"Left out: {problem}", err=True)
        for name in report["without_text"]:
            click.echo(f"No text in {name}", err=True)
