from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from twinvec import CorpusError, Embedder
from twinvec.cli.reading import ReadingChoice, ReadingOutcome, reading_options
from twinvec.documents.chunker import Chunker
from twinvec.documents.find import Source
from twinvec.errors import FileError, RecordError
from twinvec.index import Document

SOURCES = [Source(Path(name), name) for name in ("a.md", "b.csv", "c.pdf", "d.txt")]


def choice(on_error: str = "stop") -> ReadingChoice:
    return ReadingChoice((), (), "text", on_error, "/docs/")


def passages(**counts: int) -> list[Document]:
    return [
        Document(f"{name}-{number}", "text", {"source": name.replace("_", ".")})
        for name, count in counts.items()
        for number in range(count)
    ]


@click.command()
@reading_options
def show(reading: ReadingChoice) -> None:
    click.echo(str(reading))


def test_options_reach_the_command() -> None:
    arguments = ["--include", "*.md", "--include", "*.txt", "--exclude", "old", "--field", "body"]
    arguments += ["--on-error", "skip", "--url-prefix", "/"]
    expected = ReadingChoice(("*.md", "*.txt"), ("old",), "body", "skip", "/")
    assert CliRunner().invoke(show, arguments).stdout == f"{expected}\n"


def test_sites_are_not_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").touch()
    (tmp_path / "site" / "runtime").mkdir(parents=True)
    (tmp_path / "site" / "runtime" / "twinvec.zip").touch()
    (tmp_path / "site" / "b.md").touch()
    assert [source.name for source in choice().find([str(tmp_path)])] == ["a.md"]


def test_passages_are_read_and_counted(tmp_path: Path, tiny: str) -> None:
    (tmp_path / "a.md").write_text("word1", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text("[]", encoding="utf-8")
    chunker = Chunker(Embedder.from_pretrained(tiny), overlap=0)
    sources = choice().find([str(tmp_path)])
    (passage,) = choice("skip").passages(chunker, ReadingOutcome(sources))
    assert passage.metadata["url"] == "/docs/a.md"
    with pytest.raises(RecordError, match=r"^b\.jsonl, line 1: the line is an array"):
        list(choice().passages(chunker, ReadingOutcome(sources)))


def test_problems_and_silent_files_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = ReadingOutcome(SOURCES)
    for line in range(2, 9):
        outcome.skip(RecordError("b.csv", "bad", line))
    list(outcome.count(passages(a_md=2, b_csv=1)))
    outcome.skip(FileError("c.pdf", "bad"))
    assert outcome.report() == {
        "problems": [
            "b.csv: 7 records left out: line 2, 3, 4, 5, 6, ...",
            "c.pdf: bad",
        ],
        "without_text": ["d.txt"],
    }
    outcome.show()
    assert capsys.readouterr().err == (
        "Left out: b.csv: 7 records left out: line 2, 3, 4, 5, 6, ...\n"
        "Left out: c.pdf: bad\n"
        "No text in d.txt\n"
    )


def test_passages_before_the_damage_are_reported() -> None:
    outcome = ReadingOutcome(SOURCES)
    list(outcome.count(passages(c_pdf=1024)))
    outcome.skip(FileError("c.pdf", "bad"))
    assert outcome.report()["problems"] == ["c.pdf: bad (the 1,024 passages before are indexed)"]


def test_no_passage_at_all_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = ReadingOutcome(SOURCES[:1])
    with pytest.raises(CorpusError, match="no file has a passage to index; nothing was written"):
        list(outcome.count([]))
    assert capsys.readouterr().err == "No text in a.md\n"
