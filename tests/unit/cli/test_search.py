from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from command import report_of, twinvec
from twinvec import Embedder, Index
from twinvec.catalog.pins import EMBEDDED
from twinvec.cli import main


def index(*arguments: str | Path) -> None:
    model = () if "--model" in arguments else ("--model", EMBEDDED.name)
    answer = twinvec("index", *arguments, "-o", "out", *model)
    assert answer.exit_code == 0, answer.output


def search(*arguments: str) -> Result:
    answer = twinvec("search", "out", *arguments)
    assert answer.exit_code == 0, answer.output
    return answer


@pytest.mark.usefixtures("folder")
def test_the_model_and_dtype_of_the_index_are_opened() -> None:
    index("docs", "--dtype", "w8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = search("a hot drink", "-k", "2", "--mode", "semantic")
    first, *_ = answer.stdout.splitlines()
    assert first.startswith(" 1  0.")
    assert first.endswith("  drinks/tea.html#tea")
    assert "    Tea\n    Leaves of a bush, in hot water.\n 2  0." in answer.stdout
    hits = report_of(search("Invoice 3", "--json", "-k", "1"))
    assert [(hit["id"], hit["metadata"]["source"]) for hit in hits] == [
        ("invoices.jsonl#4", "invoices.jsonl")
    ]


@pytest.mark.usefixtures("folder")
def test_modes_and_filters() -> None:
    index("docs", "--no-lexical")
    answer = twinvec("search", "out", "panda", "--mode", "hybrid")
    assert answer.exit_code == 1
    assert "lexical=True" in answer.stderr
    assert search("panda", "-k", "1").stdout.startswith(" 1  0.")
    hits = report_of(search("panda", "--filter", "source=drinks/tea.html", "--json"))
    assert [hit["id"] for hit in hits] == ["drinks/tea.html#tea"]
    assert search("panda", "--filter", "source=no").stdout == "No hits.\n"
    answer = twinvec("search", "out", "panda", "--filter", "source")
    assert answer.exit_code == 2
    assert "'source' is not KEY=VALUE" in answer.stderr


@pytest.mark.usefixtures("folder")
def test_filters_compare_lists_and_refuse_missing_keys() -> None:
    index_of_tags = Index(Embedder.from_pretrained(EMBEDDED.name).fingerprint, dim=384)
    metadata: list[dict[str, Any]] = [{"tags": ["a", 1]}, {"tags": "b"}, {}]
    index_of_tags.add_vectors(["one", "two", "three"], np.eye(3, 384), metadata=metadata)
    index_of_tags.save("out")

    for condition, texts in {
        "tags=a": ["one"],
        "tags=1": ["one"],
        "tags=b": ["two"],
        "tags=None": [],
        "other=None": [],
        "tags=[]": [],
    }.items():
        hits = report_of(search("one two three", "--filter", condition, "--json"))
        assert [hit["text"] for hit in hits] == texts


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_characters_that_a_terminal_cannot_show_are_escaped(folder: Path, encoding: str) -> None:
    (folder / "odd.jsonl").write_text(json.dumps({"text": "lone \ud800 \u4e2d\ud83d"}), "utf-8")
    index("odd.jsonl")
    answer = CliRunner(charset=encoding).invoke(main, ["search", "out", "lone"])
    assert answer.exit_code == 0, answer.exception
    shown = "\u4e2d" if encoding == "utf-8" else r"\u4e2d"
    assert f"lone \\ud800 {shown}\\ud83d\n" in answer.stdout


def test_an_index_of_a_local_model_needs_its_folder(folder: Path, tiny: str) -> None:
    (folder / "words.txt").write_text("word1 word2\n\nword3", encoding="utf-8")
    index("words.txt", "--model", tiny, "--dtype", "w8a8")
    answer = twinvec("search", "out", "word3", "--mode", "semantic")
    assert answer.exit_code == 1
    assert "no weights of tiny match the fingerprint" in answer.stderr
    assert "To name the model or folder: --model NAME" in answer.stderr
    hits = report_of(search("word3", "--mode", "semantic", "--model", tiny, "--json"))
    embedder = Embedder.from_pretrained(tiny, dtype="w8a8")
    (expected,) = embedder.encode_query("word3") @ embedder.encode_document([hits[0]["text"]]).T
    assert np.isclose(hits[0]["score"], expected, atol=1e-6)


@pytest.mark.usefixtures("folder")
def test_long_hits_are_shortened() -> None:
    Path("long.md").write_text("# Title\n\none\n\ntwo\n\n" + "panda " * 30, encoding="utf-8")
    index("long.md")
    _, *lines = search("panda").stdout.splitlines()
    assert lines == ["    Title", "    one", "    two", "    …"]
    Path("long.md").write_text("panda " * 30, encoding="utf-8")
    index("long.md")
    _, line = search("panda").stdout.splitlines()
    assert len(line) == 4 + 100
    assert line.endswith("…")
