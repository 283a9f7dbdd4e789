from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from twinvec import Embedder
from twinvec.catalog.pins import EMBEDDED
from twinvec.cli import main

TEXTS = [f"{thing} number {number}" for number in range(5) for thing in ("Panda", "Lorry")]
LONG = "panda " * 300


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinvec.cli.vectors_file.CHUNK", 4)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What `Embedder.encode` is called with."""
    calls: list[list[str]] = []
    encode = Embedder.encode

    def counting(self: Embedder, texts: list[str], **options: Any) -> object:
        if "prompt" in options:  # opening a model embeds a text of its own
            calls.append(texts)
        return encode(self, texts, **options)

    monkeypatch.setattr(Embedder, "encode", counting)
    return calls


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with `texts.txt` in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    return tmp_path


def embed(*arguments: str, stdin: bytes | None = None) -> Result:
    command = ["embed", *arguments, "--model", EMBEDDED.name]
    if "--out" not in arguments:
        command += ["--out", "out.npy"]
    return CliRunner().invoke(main, command, input=stdin)


def interrupt(monkeypatch: pytest.MonkeyPatch, *arguments: str, after: int = 2) -> Result:
    """Run `embed` and end it after some chunks of four texts."""
    encode, calls = Embedder.encode, iter(range(after))

    def interrupted(self: Embedder, texts: list[str], **options: Any) -> object:
        if "prompt" in options and next(calls, None) is None:
            raise KeyboardInterrupt
        return encode(self, texts, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Embedder, "encode", interrupted)
        return embed(*arguments)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def same_vectors(texts: list[str]) -> bool:
    made = np.load("out.npy")
    assert made.dtype == np.float32
    embedder = Embedder.from_pretrained(EMBEDDED.name)
    return np.array_equal(made, embedder.encode(texts))


def test_plain_text(folder: Path) -> None:
    answer = embed("texts.txt")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("10 texts -> out.npy, float32 [10, 384], ")
    assert answer.stdout.endswith(" texts/s\n")
    assert "10/10" in answer.stderr
    assert names(folder) == ["out.npy", "texts.txt"]
    assert same_vectors(TEXTS)


def test_every_line_is_a_text(folder: Path) -> None:
    (folder / "texts.txt").write_bytes("\ufeffa\r\n\r\nb\u2028c\r\n".encode())
    assert embed("texts.txt").exit_code == 0
    assert same_vectors(["a", "", "b\u2028c"])


def test_records(folder: Path) -> None:
    texts = ['a, "b"\nc', "\ud800", "d"]
    (folder / "a.jsonl").write_text(
        "\n".join(json.dumps({"body": text}) for text in texts), encoding="utf-8"
    )
    assert embed("a.jsonl", "--field", "body").exit_code == 0
    assert same_vectors(texts)
    (folder / "a.csv").write_text('id,body\n1,"a, ""b""\nc"\n2,d\n', encoding="utf-8")
    assert embed("a.csv", "--field", "body", "--overwrite").exit_code == 0
    assert same_vectors([texts[0], texts[2]])
    pq.write_table(pa.table({"text": TEXTS}), folder / "a.parquet", row_group_size=3)
    assert embed("a.parquet", "--overwrite").exit_code == 0
    assert same_vectors(TEXTS)


def test_standard_input(folder: Path) -> None:
    assert embed("-", stdin=b"a\nb\n").exit_code == 0
    assert same_vectors(["a", "b"])
    answer = embed("-", "--format", "csv", "--overwrite", stdin=b"text\n\xff\n")
    assert answer.exit_code == 1
    assert "CorpusError: stdin, line 2: not valid UTF-8" in answer.stderr
    assert embed("-", "--overwrite", stdin=b"").stdout.startswith("0 texts -> out.npy, float32 [0")
    assert np.load(folder / "out.npy").shape == (0, 384)


def test_json_and_texts_that_are_cut(folder: Path) -> None:
    (folder / "texts.txt").write_text(f"{LONG}\na\n{LONG}\n", encoding="utf-8")
    answer = embed("texts.txt", "--json", "--dtype", "w8")
    report = json.loads(answer.stdout)
    embedder = Embedder.from_pretrained(EMBEDDED.name, dtype="w8")
    assert report.pop("seconds") > 0
    assert report == {
        "count": 3,
        "continued": 0,
        "dim": 384,
        "out": "out.npy",
        "model": EMBEDDED.name,
        "dtype": "w8",
        "fingerprint": embedder.fingerprint,
        "truncated": 2,
        "skipped": [],
    }
    assert embed("texts.txt", "--overwrite").stdout.endswith(
        "; 2 texts were longer than 256 tokens and lost their tail\n"
    )


@pytest.mark.usefixtures("folder")
def test_prompt() -> None:
    assert embed("texts.txt", "--prompt", "query: ").exit_code == 0
    assert same_vectors([f"query: {text}" for text in TEXTS])


def test_stop_comes_before_the_model_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Embedder, "from_pretrained", lambda *_, **__: pytest.fail("was opened"))
    (folder / "texts.txt").write_bytes(b"a\n" * 10 + b"\xff\n")
    answer = embed("texts.txt")
    assert answer.exit_code == 1
    assert answer.stdout == ""
    assert "Error: CorpusError: texts.txt, line 11: not valid UTF-8" in answer.stderr
    assert names(folder) == ["texts.txt"]


def test_skip_tells_what_it_left_out(folder: Path) -> None:
    lines = ['{"text": "a"}', *["bad"] * 7, '{"text": "b"}']
    (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    answer = embed("a.jsonl", "--on-error", "skip")
    assert answer.stdout.startswith("2 texts -> out.npy, float32 [2, 384], ")
    assert answer.stdout.endswith("; 7 records left out: line 2, 3, 4, 5, 6, ...\n")
    assert same_vectors(["a", "b"])
    answer = embed("a.jsonl", "--on-error", "skip", "--json", "--overwrite")
    assert json.loads(answer.stdout)["skipped"] == [2, 3, 4, 5, 6, 7, 8]


def test_an_interrupted_run_continues(
    folder: Path, monkeypatch: pytest.MonkeyPatch, encoded: list[list[str]]
) -> None:
    texts = [LONG, *TEXTS[1:]]
    (folder / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    answer = interrupt(monkeypatch, "texts.txt")
    assert answer.exit_code == 130
    assert "Interrupted; run the same command to continue." in answer.stderr
    assert names(folder) == ["out.npy.part", "out.npy.part.json", "texts.txt"]
    encoded.clear()
    answer = embed("texts.txt")
    assert "Continuing out.npy.part after 8 of 10 texts." in answer.stderr
    assert encoded == [texts[8:]]
    assert answer.stdout.endswith("; 1 text was longer than 256 tokens and lost its tail\n")
    assert names(folder) == ["out.npy", "texts.txt"]
    made = (folder / "out.npy").read_bytes()
    assert embed("texts.txt", "--overwrite").exit_code == 0
    assert (folder / "out.npy").read_bytes() == made


def test_rows_that_were_not_noted_are_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a crash between the rows and the note of them leaves the files."""
    interrupt(monkeypatch, "texts.txt", after=1)
    note = (folder / "out.npy.part.json").read_bytes()
    interrupt(monkeypatch, "texts.txt", after=1)
    (folder / "out.npy.part.json").write_bytes(note)
    assert "after 4 of 10 texts" in embed("texts.txt").stderr
    assert same_vectors(TEXTS)


@pytest.mark.parametrize(
    ("change", "differing"),
    [("input", "input_sha256"), ("prompt", "prompt"), ("dtype", "fingerprint")],
)
def test_anything_different_starts_anew(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    encoded: list[list[str]],
    change: str,
    differing: str,
) -> None:
    interrupt(monkeypatch, "texts.txt", "--dtype", "fp32")
    arguments = {"prompt": ["--prompt", "a "], "dtype": ["--dtype", "w8"]}.get(change, [])
    if change == "input":
        (folder / "texts.txt").write_text("\n".join([*TEXTS[1:], "new"]), encoding="utf-8")
    encoded.clear()
    answer = embed("texts.txt", *arguments)
    assert f"out.npy.part cannot be continued (other {differing}); starting anew." in answer.stderr
    assert sum(map(len, encoded)) == 10
    assert names(folder) == ["out.npy", "texts.txt"]


def test_a_note_does_not_outlive_its_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else rows of one run could be taken for those of another."""
    interrupt(monkeypatch, "texts.txt", after=2)
    interrupt(monkeypatch, "texts.txt", "--prompt", "a ", after=0)
    assert names(folder) == ["out.npy.part", "texts.txt"]


@pytest.mark.parametrize("damage", ["no note", "half a note", "rows are missing"])
def test_a_damaged_part_starts_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    interrupt(monkeypatch, "texts.txt")
    note, part = folder / "out.npy.part.json", folder / "out.npy.part"
    match damage:
        case "no note":
            note.unlink()
        case "half a note":
            note.write_bytes(note.read_bytes()[:20])
        case _:
            part.write_bytes(part.read_bytes()[:-1])
    answer = embed("texts.txt")
    assert "out.npy.part cannot be continued" in answer.stderr
    assert same_vectors(TEXTS)


def test_an_input_that_shrinks_meanwhile_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Embedder.from_pretrained

    def meanwhile(model: str, **options: Any) -> Embedder:
        (folder / "texts.txt").write_text("a\n", encoding="utf-8")
        return opened(model, **options)

    monkeypatch.setattr(Embedder, "from_pretrained", meanwhile)
    answer = embed("texts.txt")
    assert answer.exit_code == 1
    assert "the input changed while it was read: it had 10 texts, now 1" in answer.stderr
    assert "out.npy" not in names(folder)


def test_what_is_there_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = folder / "out.npy"
    out.write_bytes(b"precious")
    answer = embed("texts.txt")
    assert answer.exit_code == 1
    assert "out.npy is there already; choose another, or add --overwrite" in answer.stderr
    interrupt(monkeypatch, "texts.txt", "--overwrite")
    assert out.read_bytes() == b"precious"
    assert embed("texts.txt", "--overwrite").exit_code == 0
    assert same_vectors(TEXTS)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["texts.txt", "--out", "a.txt"], 2, "a.txt must end in .npy"),
        (["texts.txt", "--out", "no/a.npy"], 1, "no is not a folder; make it first"),
        (["texts.txt", "--field", "a"], 2, "a line of plain text has no fields"),
        (["nothing.txt"], 2, "'nothing.txt' does not exist"),
        (["texts.txt", "--format", "csv"], 1, 'line 1: no field "text"; it has Panda number 0.'),
    ],
)
def test_wrong_usage(folder: Path, arguments: list[str], code: int, message: str) -> None:
    answer = embed(*arguments)
    assert answer.exit_code == code
    assert message in answer.stderr
    assert names(folder) == ["texts.txt"]


def test_approximate_vectors_and_limits_are_told(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        answer = embed("texts.txt", "--dtype", "q8", "--max-length", "4")
    assert answer.exit_code == 0, answer.output
    assert "Warning: these vectors are of approximate parity" in answer.stderr
    assert "10 texts were longer than 4 tokens and lost their tail" in answer.stdout
    assert (folder / "out.npy").is_file()
