from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from command import report_of, twinvec
from twinvec import Embedder
from twinvec.catalog.pins import EMBEDDED
from twinvec.files.atomic import locked

MANY = [f"word{number % 50}" for number in range(600)]
"""More than two writes; see `TEXTS_PER_WRITE`."""
TEXTS = [f"{thing} number {number}" for number in range(5) for thing in ("Panda", "Lorry")]
LONG = "panda " * 300


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The texts of each call of `Embedder.encode`."""
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
    command = ["embed", *arguments]
    if "--model" not in arguments:
        command += ["--model", EMBEDDED.name]
    if "--out" not in arguments:
        command += ["--out", "out.npy"]
    return twinvec(*command, input=stdin)


def interrupt(monkeypatch: pytest.MonkeyPatch, *arguments: str, after: int = 2) -> Result:
    """Run `embed`, and interrupt it after some writes."""
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
    assert answer.stderr == ""  # no progress bar where it is no terminal
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
    assert "RecordError: stdin, line 2: not valid UTF-8" in answer.stderr
    assert embed("-", "--overwrite", stdin=b"").stdout.startswith("0 texts -> out.npy, float32 [0")
    assert np.load(folder / "out.npy").shape == (0, 384)


def test_json_and_texts_that_are_cut(folder: Path) -> None:
    (folder / "texts.txt").write_text(f"{LONG}\na\n{LONG}\n", encoding="utf-8")
    answer = embed("texts.txt", "--json", "--dtype", "w8")
    report = report_of(answer)
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
        "; 2 texts longer than 256 tokens, cut off there\n"
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
    assert "Error: RecordError: texts.txt, line 11: not valid UTF-8" in answer.stderr
    assert names(folder) == ["texts.txt"]


def test_skip_lists_the_records_left_out(folder: Path) -> None:
    lines = ['{"text": "a"}', *["bad"] * 7, '{"text": "b"}']
    (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    answer = embed("a.jsonl", "--on-error", "skip")
    assert answer.stdout.startswith("2 texts -> out.npy, float32 [2, 384], ")
    assert answer.stdout.endswith("; 7 records left out: line 2, 3, 4, 5, 6, ...\n")
    assert same_vectors(["a", "b"])
    answer = embed("a.jsonl", "--on-error", "skip", "--json", "--overwrite")
    assert report_of(answer)["skipped"] == [2, 3, 4, 5, 6, 7, 8]


def test_a_second_run_into_one_file_is_refused(folder: Path) -> None:
    with locked(folder / "out.npy"):
        answer = embed("texts.txt")
    assert answer.exit_code == 1
    assert "Error: TwinvecError: another run is writing" in answer.stderr
    assert names(folder) == ["texts.txt"]


def test_an_interrupted_run_is_resumed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, encoded: list[list[str]], tiny: str
) -> None:
    texts = ["word1 " * 100, *MANY[1:]]
    (folder / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    answer = interrupt(monkeypatch, "texts.txt", "--model", tiny)
    assert answer.exit_code == 130
    assert "Interrupted; run the same command again to resume." in answer.stderr
    assert names(folder) == ["out.npy.part", "out.npy.part.json", "texts.txt"]
    encoded.clear()
    answer = embed("texts.txt", "--model", tiny, "--json")
    assert "Resuming out.npy.part after 512 of 600 texts." in answer.stderr
    assert encoded == [texts[512:]]
    report = report_of(answer)
    assert (report["count"], report["continued"], report["truncated"]) == (600, 512, 1)
    assert names(folder) == ["out.npy", "texts.txt"]
    content = (folder / "out.npy").read_bytes()
    assert embed("texts.txt", "--model", tiny, "--overwrite").exit_code == 0
    assert (folder / "out.npy").read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "differing"),
    [
        ([], "input_sha256"),
        (["--prompt", "a "], "prompt"),
        (["--dtype", "w8a8"], "fingerprint"),
    ],
)
def test_any_difference_starts_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tiny: str, arguments: list[str], differing: str
) -> None:
    (folder / "texts.txt").write_text("\n".join(MANY), encoding="utf-8")
    interrupt(monkeypatch, "texts.txt", "--model", tiny)
    if differing == "input_sha256":
        (folder / "texts.txt").write_text("\n".join([*MANY[1:], "new"]), encoding="utf-8")
    answer = embed("texts.txt", "--model", tiny, *arguments)
    message = f"out.npy.part cannot be resumed (different {differing}); starting again."
    assert message in answer.stderr
    assert answer.stdout.startswith("600 texts -> out.npy")
    assert names(folder) == ["out.npy", "texts.txt"]


def test_an_input_that_shrinks_during_the_run_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Embedder.from_pretrained

    def shrink(model: str, **options: Any) -> Embedder:
        (folder / "texts.txt").write_text("a\n", encoding="utf-8")
        return opened(model, **options)

    monkeypatch.setattr(Embedder, "from_pretrained", shrink)
    answer = embed("texts.txt")
    assert answer.exit_code == 1
    assert "the input changed while it was read: it had 10 texts, now 1" in answer.stderr
    assert "out.npy" not in names(folder)


def test_an_existing_file_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = folder / "out.npy"
    out.write_bytes(b"precious")
    answer = embed("texts.txt")
    assert answer.exit_code == 1
    assert "out.npy exists; choose another file, or add --overwrite" in answer.stderr
    assert interrupt(monkeypatch, "texts.txt", "--overwrite", after=0).exit_code == 130
    assert out.read_bytes() == b"precious"
    assert embed("texts.txt", "--overwrite").exit_code == 0
    assert same_vectors(TEXTS)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["texts.txt", "--out", "a.txt"], 2, "a.txt must end in .npy"),
        (["texts.txt", "--out", "no/a.npy"], 1, "no is not a folder; create it first"),
        (["texts.txt", "--field", "a"], 2, "a line of plain text has no fields"),
        (["nothing.txt"], 2, "'nothing.txt' does not exist"),
        (["texts.txt", "--format", "csv"], 1, 'line 1: no field "text"; it has Panda number 0\n'),
    ],
)
def test_wrong_usage(folder: Path, arguments: list[str], code: int, message: str) -> None:
    answer = embed(*arguments)
    assert answer.exit_code == code
    assert message in answer.stderr
    assert names(folder) == ["texts.txt"]


def test_approximate_vectors_and_limits_are_reported(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        answer = embed("texts.txt", "--dtype", "q8", "--max-length", "4")
    assert answer.exit_code == 0, answer.output
    assert "Warning: these vectors have approximate parity" in answer.stderr
    assert "10 texts longer than 4 tokens, cut off there" in answer.stdout
    assert (folder / "out.npy").is_file()
