"""What the verbs print, and how they fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from synthetic import write_tiny
from twinvec import Embedder, Index
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import DEFAULT, EMBEDDED
from twinvec.cli import main
from twinvec.model.dtypes import DTYPES
from twinvec.model.info import REFERENCE_FILE


def twinvec(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def rows_of(answer: Result) -> list[dict[str, Any]]:
    assert answer.exit_code in (0, 1), answer.output
    rows: list[dict[str, Any]] = json.loads(answer.stdout)
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    answer = twinvec("convert", write_tiny(tmp_path / "source"), tmp_path / "made")
    assert answer.exit_code == 0, answer.output
    return tmp_path / "made"


def test_every_verb_has_help_and_json() -> None:
    verbs = {"convert", "embed", "index", "models", "search", "serve", "site", "verify"}
    assert set(main.commands) == verbs
    for name, verb in main.commands.items():
        answer = twinvec(name, "--help")
        assert answer.exit_code == 0
        assert "--json" in answer.output
        assert (verb.help or "").splitlines()[0].endswith(".")


def test_models_lists_what_is_known_and_cached(tmp_path: Path) -> None:
    find_model(EMBEDDED.name, dtype="fp32")
    found = {(row["model"], row["dtype"]): row for row in rows_of(twinvec("models", "--json"))}
    known = found[DEFAULT.name, "q8"]
    assert (known["parity"], known["bytes"]) == ("approximate", 34_014_426)
    cached = found[EMBEDDED.name, "fp32"]
    assert Path(cached["file"]).stat().st_size == cached["bytes"]
    said = twinvec("models").stdout
    assert f"{DEFAULT.name} (default), revision ea104dacec62" in said
    nothing = CliRunner().invoke(main, ["models"], env={"TWINVEC_CACHE": str(tmp_path)})
    assert EMBEDDED.name in nothing.stdout
    assert "cached" not in nothing.stdout


def test_convert_reports_each_dtype(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "source")
    answer = twinvec("convert", source, tmp_path / "made", "--dtype", "w16", "--json")
    (row,) = rows_of(answer)
    assert (row["dtype"], row["parity"]) == ("w16", "exact")
    assert row["bytes"] == (tmp_path / "made" / "onnx" / "model_w16.onnx").stat().st_size
    assert 0.9999 < row["cosine"] <= 1
    again = twinvec("convert", source, tmp_path / "made")
    assert again.exit_code == 1
    assert "is not empty; choose another folder" in again.output


def test_verify_compares_every_dtype(folder: Path) -> None:
    rows = rows_of(twinvec("verify", folder, "--json"))
    assert [row["dtype"] for row in rows] == ["fp32", "q8", "w8", "w16", "w8a8"]
    assert all(row["deviation"] <= 1e-8 for row in rows)
    assert {row["dtype"] for row in rows if row["parity"] == "exact"} == {
        name for name, facts in DTYPES.items() if facts.parity == "exact" and facts.recipe
    }
    said = twinvec("verify", folder)
    assert said.exit_code == 0
    assert said.stdout.count("fine") == 5


def test_verify_tells_a_flipped_byte(folder: Path) -> None:
    file = folder / "onnx" / "model_w8.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    answer = twinvec("verify", folder, "--json")
    assert answer.exit_code == 1
    rows = {row["dtype"]: row for row in rows_of(answer)}
    assert "model_w8.onnx: hash mismatch" in rows["w8"]["failure"]
    assert [dtype for dtype in rows if "failure" in rows[dtype]] == ["w8"]


def test_verify_tells_weights_that_do_not_open(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    (folder / "onnx" / "model.onnx").write_bytes(b"")
    answer = twinvec("verify", folder)
    assert answer.exit_code == 1
    assert "ModelError" in answer.stdout.splitlines()[0]
    assert answer.stdout.count("fine") == 4  # all but fp32


def test_verify_tells_other_vectors_and_none(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    file = folder / REFERENCE_FILE
    block = json.loads(file.read_text(encoding="utf-8"))
    block["w8"]["vectors"][2][5] += 1e-3  # not the first text: opening would not notice
    del block["w16"]
    file.write_text(json.dumps(block), encoding="utf-8")
    answer = twinvec("verify", folder, "--json")
    assert answer.exit_code == 1
    rows = {row["dtype"]: row for row in rows_of(answer)}
    assert "differ by 0.001 from" in rows["w8"]["failure"]
    assert "no reference vectors" in rows["w16"]["failure"]
    assert "failure" not in rows["fp32"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed", "{texts}", "--out", "{out}", "--max-length", "9999"], "must be between 1 and"),
        (["site", "{site}", "--dtype", "zz"], "'zz' is not one of"),
        (["convert", "{site}", "{out}"], "has neither onnx/model.onnx nor model.safetensors"),
    ],
)
def test_wrong_arguments_are_told_without_a_traceback(
    tmp_path: Path, folder: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "texts.txt").write_text("Hello world.\n", encoding="utf-8")
    names = {"texts": "texts.txt", "out": "out.npy", "site": "site"}
    paths = {key: tmp_path / name for key, name in names.items()}
    given = [argument.format_map(paths) for argument in arguments]
    answer = twinvec(*given, *(["--model", str(folder)] if given[0] == "embed" else []))
    assert isinstance(answer.exception, SystemExit)
    assert message in answer.stderr
    assert not (tmp_path / "out.npy").exists()


def test_verify_needs_weights(tmp_path: Path) -> None:
    answer = twinvec("verify", tmp_path)
    assert answer.exit_code == 1
    assert "has no weights under onnx/" in answer.output


def test_a_site_has_what_its_index_was_built_with(folder: Path, tmp_path: Path) -> None:
    embedder = Embedder.from_pretrained(folder, dtype="w8a8")
    Index.build(["mine"], embedder).save(tmp_path / "index")
    embedder.close()
    arguments = (tmp_path / "site", "--index", tmp_path / "index", "--model", folder, "--json")
    answer = twinvec("site", *arguments)
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["dtypes"] == ["w8a8"]
    assert len(Index.load(tmp_path / "site" / "index")) == 1
