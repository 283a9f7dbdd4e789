from __future__ import annotations

import json
import tempfile
import warnings
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

from synthetic import write_tiny
from twinvec import Embedder
from twinvec.catalog.pins import EMBEDDED
from twinvec.cli import main
from twinvec.convert.folder import convert_folder
from twinvec.index import Index
from twinvec.index.writing.update import write_index

PAGE = "<title>Tea</title><main><h1 id=tea>Tea</h1><p>Leaves of a bush, in hot water.</p></main>"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    batches_of_four = partial(write_index, batch_documents=4)
    monkeypatch.setattr(import_module("twinvec.cli.index"), "write_index", batches_of_four)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is embedded as a document."""
    texts: list[str] = []
    encode = Embedder.encode_document

    def counting(self: Embedder, given: list[str], **options: Any) -> object:
        texts.extend(given)
        return encode(self, given, **options)

    monkeypatch.setattr(Embedder, "encode_document", counting)
    return texts


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with `docs/` in it: twelve passages."""
    monkeypatch.chdir(tmp_path)
    docs = tmp_path / "docs"
    (docs / "drinks").mkdir(parents=True)
    (docs / "drinks" / "tea.html").write_text(PAGE, encoding="utf-8")
    animals = "\n\n".join(f"## Animal {n}\n\nThe panda eats bamboo, {n} times." for n in "abcdef")
    (docs / "animals.md").write_text(f"# Animals\n\n{animals}\n", encoding="utf-8")
    rows = [{"text": f"Invoice {n}: steel pipes"} for n in range(5)]
    (docs / "invoices.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def index(*arguments: str) -> Result:
    return run("index", *(arguments or ("docs",)), "-o", "out", "--model", EMBEDDED.name)


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> Result:
    """End a run after some batches of four passages."""
    encode, calls = Embedder.encode_document, iter(range(after))

    def interrupted(self: Embedder, texts: list[str], **options: Any) -> object:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return encode(self, texts, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Embedder, "encode_document", interrupted)
        return index()


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.usefixtures("folder")
def test_files_become_an_index() -> None:
    answer = index("docs", "--url-prefix", "https://e.org/", "--json")
    assert answer.exit_code == 0, answer.output
    report = json.loads(answer.stdout)
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
    assert [one.id for one in opened.documents(0, 2)] == [
        "animals.md#animal-a",
        "animals.md#animal-b",
    ]


def test_only_what_is_new_is_embedded(folder: Path, encoded: list[str]) -> None:
    assert "12 embedded, 0 reused" in index().stdout
    before = content(folder / "out")
    encoded.clear()
    assert "3 files -> 12 passages in out; 0 embedded, 12 reused" in index().stdout
    assert encoded == []
    assert content(folder / "out") == before
    page = folder / "docs" / "drinks" / "tea.html"
    page.write_text(PAGE.replace("hot", "cold"), encoding="utf-8")
    (folder / "docs" / "invoices.jsonl").unlink()
    assert "2 files -> 7 passages in out; 1 embedded, 6 reused" in index().stdout
    assert encoded == ["Tea\nLeaves of a bush, in cold water."]
    assert len(Index.load("out")) == 7


@pytest.mark.usefixtures("folder")
def test_another_model_or_precision_embeds_anew() -> None:
    assert "12 embedded" in index().stdout
    assert "12 embedded" in index("docs", "--precision", "int8").stdout
    assert "0 embedded" in index().stdout  # what is there stays int8
    assert Index.load("out").precision == "int8"
    assert "12 embedded" in index("docs", "--dtype", "w8").stdout


def test_an_interrupted_run_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, encoded: list[str]
) -> None:
    whole = folder / "whole"
    assert run("index", "docs", "-o", "whole", "--model", EMBEDDED.name).exit_code == 0
    (folder / "docs" / "drinks" / "tea.html").rename(folder / "tea.html")
    index("tea.html")
    before = content(folder / "out")
    (folder / "tea.html").rename(folder / "docs" / "drinks" / "tea.html")
    answer = interrupt(monkeypatch, after=2)
    assert answer.exit_code == 130
    assert "Interrupted; out is unchanged. Run the same command again to resume." in answer.stderr
    assert content(folder / "out") == before
    assert len(Index.load("out")) == 1
    encoded.clear()
    assert "12 passages in out; 3 embedded, 9 reused" in index().stdout
    assert len(encoded) == 3
    assert content(folder / "out") == content(whole)
    assert not (folder / "out.part").exists()


def test_a_damaged_journal_or_one_of_another_model_is_not_in_the_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch, after=2)
    part = folder / "out.part"
    kept = part.read_bytes()
    part.write_bytes(kept[:-1])  # as a crash amid a row leaves it
    assert "5 embedded" in index().stdout
    for left in (kept, kept[:20], b""):
        part.write_bytes(left)
        assert "12 embedded" in index("docs", "--dtype", "w8").stdout
        assert not part.exists()
        assert "12 embedded" in index().stdout


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
    folder: Path, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("twinvec.cli.index"), "write_index", write_index)
    (folder / "docs" / "animals.md").unlink()
    rows = [{"text": "Imprint"}, {"text": "Terms"}] * 10
    (folder / "docs" / "invoices.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert "21 passages in out; 3 embedded, 18 reused" in index().stdout
    assert sorted(encoded) == ["Imprint", "Tea\nLeaves of a bush, in hot water.", "Terms"]
    rows.append({"text": "Contact"})
    (folder / "docs" / "invoices.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert "22 passages in out; 1 embedded, 21 reused" in index().stdout
    found = Index.load("out").search("Terms", Embedder.from_pretrained(EMBEDDED.name), k=10)
    assert {hit.text for hit in found} == {"Terms"}


def test_two_runs_do_not_write_one_index_at_once(folder: Path, encoded: list[str]) -> None:
    with FileLock(folder / ".out.twinvec-lock"):
        answer = index()
        assert answer.exit_code == 1
        assert f"another run is writing {folder / 'out'}" in answer.stderr
        assert f"holds {folder / '.out.twinvec-lock'}; wait until it is done" in answer.stderr
        assert encoded == []
    (folder / ".out.twinvec-lock").touch()  # of a run that was killed
    assert index().exit_code == 0
    assert {one.name for one in folder.iterdir()} == {"docs", "out"}


def test_a_drive_that_cannot_lock_is_written(folder: Path) -> None:
    (folder / ".out.twinvec-lock").mkdir()  # no lock is had there either
    assert "12 embedded" in index().stdout
    assert (folder / ".out.twinvec-lock").is_dir()


def test_what_is_put_aside_lies_beside_the_index(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    assert index("docs", "--precision", "int8").exit_code == 0
    interrupt(monkeypatch, after=0)
    assert {one.name for one in folder.iterdir()} == {"docs", "out"}
    monkeypatch.setattr(
        "twinvec.index.writing.update.json.dumps", Mock(side_effect=OSError(28, "No space"))
    )
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


def test_skip_names_what_it_left_out(folder: Path) -> None:
    (folder / "docs" / "bad.pdf").write_bytes(b"no")
    (folder / "docs" / "empty.txt").touch()
    answer = index("docs", "--on-error", "skip")
    assert answer.exit_code == 0
    assert "Left out: bad.pdf: not a PDF that can be read" in answer.stderr
    assert "No text in empty.txt\n" in answer.stderr
    assert "No text in bad.pdf" not in answer.stderr
    report = json.loads(index("docs", "--on-error", "skip", "--json").stdout)
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


def test_a_folder_of_something_else_is_kept(folder: Path) -> None:
    answer = run("index", "docs", "-o", "docs")
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
    answer = run("index", "docs", "-o", "new.zip")
    assert answer.exit_code == 2
    assert "Index.load(folder).save('new.zip')" in answer.stderr
    assert (encoded, (folder / "new.zip").exists()) == ([], False)
    index()
    Index.load("out").save("out.zip")
    answer = run("search", "out.zip", "a hot drink", "-k", "1")
    assert answer.stdout == search("a hot drink", "-k", "1").stdout
    answer = run("search", "docs/animals.md", "a hot drink")
    assert answer.exit_code == 1
    assert "Check that an index was saved to this folder" in answer.stderr


def test_the_working_folder_may_be_the_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "out").mkdir()
    monkeypatch.chdir(folder / "out")
    for embedded in (12, 0):
        answer = run("index", "../docs", "-o", ".", "--model", EMBEDDED.name)
        assert f"12 passages in .; {embedded} embedded" in answer.stdout
    assert run("search", ".", "tea", "-k", "1").exit_code == 0
    assert {one.name for one in folder.iterdir()} == {"docs", "out"}


def search(*arguments: str) -> Result:
    answer = run("search", "out", *arguments)
    assert answer.exit_code == 0, answer.output
    return answer


@pytest.mark.usefixtures("folder")
def test_search_opens_what_the_index_was_built_with() -> None:
    index("docs", "--dtype", "w8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = search("a hot drink", "-k", "2", "--mode", "semantic")
    first, *_ = answer.stdout.splitlines()
    assert first.startswith(" 1  0.")
    assert first.endswith("  drinks/tea.html#tea")
    assert "    Tea\n    Leaves of a bush, in hot water.\n 2  0." in answer.stdout
    hits = json.loads(search("Invoice 3", "--json", "-k", "1").stdout)
    assert [(hit["id"], hit["metadata"]["source"]) for hit in hits] == [
        ("invoices.jsonl#4", "invoices.jsonl")
    ]


@pytest.mark.usefixtures("folder")
def test_search_modes_and_filters() -> None:
    index("docs", "--no-lexical")
    answer = run("search", "out", "panda", "--mode", "hybrid")
    assert answer.exit_code == 1
    assert "lexical=True" in answer.stderr
    assert search("panda", "-k", "1").stdout.startswith(" 1  0.")
    found = json.loads(search("panda", "--filter", "source=drinks/tea.html", "--json").stdout)
    assert [hit["id"] for hit in found] == ["drinks/tea.html#tea"]
    assert search("panda", "--filter", "source=no").stdout == "No hits.\n"
    answer = run("search", "out", "panda", "--filter", "source")
    assert answer.exit_code == 2
    assert "'source' is not KEY=VALUE" in answer.stderr


@pytest.mark.usefixtures("folder")
def test_filters_compare_lists_and_not_what_is_missing() -> None:
    made = Index(Embedder.from_pretrained(EMBEDDED.name).fingerprint, dim=384)
    metadata: list[dict[str, Any]] = [{"tags": ["a", 1]}, {"tags": "b"}, {}]
    made.add_vectors(["one", "two", "three"], np.eye(3, 384), metadata=metadata)
    made.save("out")

    def found(pair: str) -> list[str]:
        hits = json.loads(search("one two three", "--filter", pair, "--json").stdout)
        return [hit["text"] for hit in hits]

    assert (found("tags=a"), found("tags=1"), found("tags=b")) == (["one"], ["one"], ["two"])
    assert (found("tags=None"), found("other=None"), found("tags=[]")) == ([], [], [])


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_what_a_terminal_cannot_show_is_escaped(folder: Path, encoding: str) -> None:
    (folder / "odd.jsonl").write_text(json.dumps({"text": "lone \ud800 \u4e2d\ud83d"}), "utf-8")
    index("odd.jsonl")
    answer = CliRunner(charset=encoding).invoke(main, ["search", "out", "lone"])
    assert answer.exit_code == 0, answer.exception
    shown = "\u4e2d" if encoding == "utf-8" else r"\u4e2d"
    assert f"lone \\ud800 {shown}\\ud83d\n" in answer.stdout


def test_an_index_of_a_folder_of_weights_needs_the_folder(folder: Path) -> None:
    model = str(
        convert_folder(write_tiny(folder / "tiny"), folder / "a" / "onnx-tiny", ["fp32", "w8"])
    )
    (folder / "words.txt").write_text("word1 word2\n\nword3", encoding="utf-8")
    answer = run("index", "words.txt", "-o", "out", "--model", model, "--dtype", "w8")
    assert answer.exit_code == 0, answer.output
    answer = run("search", "out", "word3", "--mode", "semantic")
    assert answer.exit_code == 1
    assert "no weights of onnx-tiny match the fingerprint" in answer.stderr
    assert "To name the model or folder: --model NAME" in answer.stderr
    hits = json.loads(search("word3", "--mode", "semantic", "--model", model, "--json").stdout)
    opened = Embedder.from_pretrained(model, dtype="w8")
    (expected,) = opened.encode_query("word3") @ opened.encode_document([hits[0]["text"]]).T
    assert np.isclose(hits[0]["score"], expected, atol=1e-6)
