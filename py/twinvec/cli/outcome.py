"""The outcome of reading: passages and problems of each file, for `twinvec index`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from twinvec.cli.console import first_lines, plural
from twinvec.errors import CorpusError, RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twinvec.documents.find import Source
    from twinvec.errors import FileError
    from twinvec.index import Document


class ReadingOutcome:
    """Counts the passages of each file, and collects the problems of skipped ones.

    Example:
        >>> outcome = ReadingOutcome(sources)
        >>> passages = read_passages(sources, chunker, on_error=outcome.skip)
        >>> documents = list(outcome.count(passages))
        >>> outcome.report()["without_text"]
        ['empty.txt']
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._passages = {source.name: 0 for source in sources}
        self._file_problems: dict[str, str] = {}
        self._bad_records: dict[str, list[RecordError]] = {}

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
            self._bad_records.setdefault(error.name, []).append(error)
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
            elif records := self._bad_records.get(name):
                lines = first_lines(records[0].unit, [record.line for record in records])
                problems.append(f"{name}: {plural(len(records), 'record')} left out: {lines}")
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
