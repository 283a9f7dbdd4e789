from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from click.testing import Result
from filelock import FileLock

from command import report_of, twinvec
from twinvec import Embedder
from twinvec.catalog.pins import EMBEDDED
from twinvec.index import Index


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are embedded as documents."""
    texts: list[str] = []
    encode = Embedder.encode_document

    def counting(self: Embedder, batch: list[str], **options: Any) -> object:
        texts.extend(batch)
        return encode(self, batch, **options)

    monkeypatch.setattr(Embedder, "encode_document", counting)
    return texts


def index(*arguments: str) -> Result:
    model = () if "--model" in arguments else ("--model", EMBEDDED.name)
    return twinvec("index", *(arguments or ("docs",)), "-o", "out", *model)


def interrupt(monkeypatch: pytest.MonkeyPatch, *arguments: str, after: int) -> Result:
    """Interrupt a run after some batches."""
    encode, calls = Embedder.encode_document, iter(range(after))

    def interrupted(self: Embedder, texts: list[str], **options: Any) -> object:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return encode(self, texts, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Embedder, "encode_document", interrupted)
        return index(*arguments)


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.usefixtures("folder")
def test_files_become_an_index() -> None:
    answer = index("docs", "--url-prefix", "https://e.org/", "--json")
    assert answer.exit_code == 0, answer.output
    report = report_of(answer)
    embedder = Embedder.from_pretrained(EMBEDDED.name)
    assert report.pop("seconds") > 0
    assert report == {
        "out": "out",
        "files": 3,
        "passages": 12,
        "embedded": 12,
        "model": EMBEDDED.name,
        "dtype": "fp32",
        "precision": "float32",
        "max_tokens": 200,
        "overlap": 32,
        "fingerprint": embedder.fingerprint,
        "problems": [],
        "without_text": [],
    }
    opened = Index.load("out")
    (hit,) = opened.search("a hot drink", embedder, k=1)
    assert hit.id == "drinks/tea.html#tea"
    assert hit.text == "Tea\nLeaves of a bush, in hot water."
    assert hit.metadata == {
        "source": "drinks/tea.html",
        "title": "Tea",
        "heading": "Tea",
        "anchor": "tea",
        "url": "https://e.org/drinks/tea.html#tea",
    }
    assert [document.id for document in opened.documents(0, 2)] == [
        "animals.md#animal-a",
        "animals.md#animal-b",
    ]


def test_only_new_passages_are_embedded(folder: Path, encoded: list[str]) -> None:
    assert "12 embedded, 0 reused" in index().stdout
    before = content(folder / "out")
    encoded.clear()
    assert "3 files -> 12 passages in out; 0 embedded, 12 reused" in index().stdout
    assert encoded == []
    assert content(folder / "out") == before
    page = folder / "docs" / "drinks" / "tea.html"
    page.write_text(page.read_text("utf-8").replace("hot", "cold"), encoding="utf-8")
    (folder / "docs" / "invoices.jsonl").unlink()
    assert "2 files -> 7 passages in out; 1 embedded, 6 reused" in index().stdout
    assert encoded == ["Tea\nLeaves of a bush, in cold water."]
    assert len(Index.load("out")) == 7


@pytest.mark.usefixtures("folder")
def test_another_model_or_precision_embeds_again() -> None:
    assert "12 embedded" in index().stdout
    assert "12 embedded" in index("docs", "--precision", "int8").stdout
    assert "0 embedded" in index().stdout  # the index stays int8
    assert Index.load("out").precision == "int8"
    assert "12 embedded" in index("docs", "--dtype", "w8").stdout


@pytest.fixture
def many(folder: Path) -> Path:
    """A file of 600 passages, more than two batches, in the working folder."""
    rows = [{"text": f"word{number % 50} word{number // 50}"} for number in range(600)]
    (folder / "many.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder / "many.jsonl"


def test_an_interrupted_run_loses_nothing(
    folder: Path, many: Path, monkeypatch: pytest.MonkeyPatch, encoded: list[str], tiny: str
) -> None:
    assert twinvec("index", many, "-o", "whole", "--model", tiny).exit_code == 0
    (folder / "a.txt").write_text("word1", encoding="utf-8")
    index("a.txt", "--model", tiny)
    before = content(folder / "out")
    answer = interrupt(monkeypatch, "many.jsonl", "--model", tiny, after=2)
    assert answer.exit_code == 130
    assert "Interrupted; out is unchanged. Run the same command again to resume." in answer.stderr
    assert content(folder / "out") == before
    assert len(Index.load("out")) == 1
    encoded.clear()
    answer = index("many.jsonl", "--model", tiny)
    assert "600 passages in out; 88 embedded, 512 reused" in answer.stdout
    assert len(encoded) == 88
    assert content(folder / "out") == content(folder / "whole")
    assert not (folder / "out.part").exists()


def test_an_unusable_journal_does_not_stop_a_run(
    folder: Path, many: Path, monkeypatch: pytest.MonkeyPatch, tiny: str
) -> None:
    arguments = (many.name, "--model", tiny)
    interrupt(monkeypatch, *arguments, after=2)
    part = folder / "out.part"
    journal = part.read_bytes()
    part.write_bytes(journal[:-1])  # as a crash within a row leaves it
    assert "89 embedded" in index(*arguments).stdout
    for content_before in (journal, journal[:20], b""):  # of another dtype, or damaged
        part.write_bytes(content_before)
        assert "600 embedded" in index(*arguments, "--dtype", "w8a8").stdout
        assert not part.exists()
        assert "600 embedded" in index(*arguments).stdout


def test_a_file_of_another_program_is_not_taken_for_a_journal(
    folder: Path, encoded: list[str]
) -> None:
    (folder / "out.part").write_bytes(b"half a download")
    answer = index()
    assert answer.exit_code == 1
    assert "out.part was not written by twinvec" in answer.stderr
    assert "move the file away, or choose another folder" in answer.stderr
    assert (folder / "out.part").read_bytes() == b"half a download"
    assert (encoded, (folder / "out").exists()) == ([], False)


def test_a_text_that_a_batch_has_several_times_is_embedded_once(
    folder: Path, encoded: list[str]
) -> None:
    (folder / "docs" / "animals.md").unlink()
    rows = [{"text": "Imprint"}, {"text": "Terms"}] * 10
    (folder / "docs" / "invoices.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert "21 passages in out; 3 embedded, 18 reused" in index().stdout
    assert sorted(encoded) == ["Imprint", "Tea\nLeaves of a bush, in hot water.", "Terms"]
    rows.append({"text": "Contact"})
    (folder / "docs" / "invoices.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert "22 passages in out; 1 embedded, 21 reused" in index().stdout
    hits = Index.load("out").search("Terms", Embedder.from_pretrained(EMBEDDED.name), k=10)
    assert {hit.text for hit in hits} == {"Terms"}


def test_two_runs_do_not_write_one_index_at_once(folder: Path, encoded: list[str]) -> None:
    with FileLock(folder / ".out.twinvec-lock"):
        answer = index()
        assert answer.exit_code == 1
        assert f"another run is writing {folder / 'out'}" in answer.stderr
        assert f"holds {folder / '.out.twinvec-lock'}; wait until it is done" in answer.stderr
        assert encoded == []
    (folder / ".out.twinvec-lock").touch()  # a killed run leaves it
    assert index().exit_code == 0
    assert {file.name for file in folder.iterdir()} == {"docs", "out"}


def test_a_drive_that_cannot_lock_is_written(folder: Path) -> None:
    (folder / ".out.twinvec-lock").mkdir()  # cannot be locked, as on some drives
    assert "12 embedded" in index().stdout
    assert (folder / ".out.twinvec-lock").is_dir()


def test_temporary_files_lie_beside_the_index(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    assert index("docs", "--precision", "int8").exit_code == 0
    interrupt(monkeypatch, after=0)
    assert {file.name for file in folder.iterdir()} == {"docs", "out"}
    monkeypatch.setattr(json, "dumps", Mock(side_effect=OSError(28, "No space")))
    answer = index()
    assert answer.exit_code == 1
    assert f"No space: '{folder}'" in answer.stderr


def test_nothing_to_index_leaves_the_index(folder: Path) -> None:
    index()
    before = content(folder / "out")
    (folder / "bad.pdf").write_bytes(b"no")
    (folder / "empty.txt").touch()
    answer = index("bad.pdf", "empty.txt", "--on-error", "skip")
    assert answer.exit_code == 1
    assert "no file has a passage to index; nothing was written" in answer.stderr
    assert "Left out: bad.pdf: not a PDF that can be read" in answer.stderr
    assert "No text in empty.txt\n" in answer.stderr
    assert index("empty.txt").exit_code == 1
    assert content(folder / "out") == before


def test_stop_comes_before_anything_is_embedded(folder: Path, encoded: list[str]) -> None:
    (folder / "docs" / "zzz.md").write_bytes(b"# a\n\xff")
    answer = index()
    assert answer.exit_code == 1
    assert "Error: FileError: zzz.md, line 2: not valid UTF-8" in answer.stderr
    assert encoded == []
    assert not (folder / "out").exists()


def test_skipped_files_are_listed(folder: Path) -> None:
    (folder / "docs" / "bad.pdf").write_bytes(b"no")
    (folder / "docs" / "empty.txt").touch()
    answer = index("docs", "--on-error", "skip")
    assert answer.exit_code == 0
    assert "Left out: bad.pdf: not a PDF that can be read" in answer.stderr
    assert "No text in empty.txt\n" in answer.stderr
    assert "No text in bad.pdf" not in answer.stderr
    report = report_of(index("docs", "--on-error", "skip", "--json"))
    assert report["without_text"] == ["empty.txt"]
    assert [problem[:8] for problem in report["problems"]] == ["bad.pdf:"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 1, "CorpusError: nowhere does not exist"),
        (["docs", "--max-tokens", "300"], 1, "max_tokens must be between 18 and 256"),
        (["docs", "--include", "*.xyz"], 1, "no file to index in docs"),
        (["docs", "--field", "body"], 1, 'no field "body"; it has text'),
    ],
)
def test_wrong_usage(folder: Path, arguments: list[str], code: int, message: str) -> None:
    answer = index(*arguments)
    assert answer.exit_code == code
    assert message in answer.stderr
    assert not (folder / "out").exists()


def test_a_folder_that_is_no_index_is_kept(folder: Path) -> None:
    answer = twinvec("index", "docs", "-o", "docs")
    assert answer.exit_code == 1
    assert "docs is not empty and not an index; choose another folder" in answer.stderr
    assert len(list((folder / "docs").iterdir())) == 3
    (folder / "out").mkdir()
    (folder / "out" / "index.json").write_text("[]", encoding="utf-8")
    answer = index()
    assert answer.exit_code == 1
    assert "index.json would be replaced, but it is damaged, or twinvec did" in answer.stderr
    assert content(folder / "out") == {"index.json": b"[]"}


def test_a_first_run_that_was_killed_is_not_in_the_way(folder: Path) -> None:
    (folder / "out").mkdir()
    for name in ("documents-0123456789abcdef.jsonl", "vectors-0123456789abcdef.npy.part"):
        (folder / "out" / name).touch()
    assert index().exit_code == 0
    assert not list((folder / "out").glob("*-0123456789abcdef*"))


def test_an_archive_is_searched_but_not_written(folder: Path, encoded: list[str]) -> None:
    answer = twinvec("index", "docs", "-o", "new.zip")
    assert answer.exit_code == 2
    assert "Index.load(folder).save('new.zip')" in answer.stderr
    assert (encoded, (folder / "new.zip").exists()) == ([], False)
    index()
    Index.load("out").save("out.zip")
    answer = twinvec("search", "out.zip", "a hot drink", "-k", "1")
    assert answer.stdout == twinvec("search", "out", "a hot drink", "-k", "1").stdout
    answer = twinvec("search", "docs/animals.md", "a hot drink")
    assert answer.exit_code == 1
    assert "Check that an index was saved to this folder" in answer.stderr


def test_the_working_folder_may_be_the_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "out").mkdir()
    monkeypatch.chdir(folder / "out")
    for embedded in (12, 0):
        answer = twinvec("index", "../docs", "-o", ".", "--model", EMBEDDED.name)
        assert f"12 passages in .; {embedded} embedded" in answer.stdout
    assert twinvec("search", ".", "tea", "-k", "1").exit_code == 0
    assert {file.name for file in folder.iterdir()} == {"docs", "out"}
