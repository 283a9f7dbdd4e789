from __future__ import annotations

import json
from pathlib import Path

import pytest

from command import report_of, twinvec
from synthetic import write_tiny
from twinvec.model.dtypes import DTYPES
from twinvec.model.info import REFERENCE_FILE


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder that `twinvec convert` wrote."""
    answer = twinvec("convert", write_tiny(tmp_path / "source"), tmp_path / "model")
    assert answer.exit_code == 0, answer.output
    return tmp_path / "model"


def test_every_dtype_is_compared(model: Path) -> None:
    rows = report_of(twinvec("verify", model, "--json"))
    assert [row["dtype"] for row in rows] == ["fp32", "q8", "w8", "w16", "w8a8"]
    assert all(row["deviation"] <= 1e-8 for row in rows)
    assert {row["dtype"] for row in rows if row["parity"] == "exact"} == {
        name for name, facts in DTYPES.items() if facts.parity == "exact" and facts.recipe
    }
    answer = twinvec("verify", model)
    assert answer.exit_code == 0
    assert answer.stdout.count("fine") == 5


def test_a_flipped_byte_is_reported_for_its_dtype_only(model: Path) -> None:
    file = model / "onnx" / "model_w8.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    answer = twinvec("verify", model, "--json")
    assert answer.exit_code == 1
    rows = {row["dtype"]: row for row in report_of(answer)}
    assert "model_w8.onnx: hash mismatch" in rows["w8"]["failure"]
    assert [dtype for dtype in rows if "failure" in rows[dtype]] == ["w8"]


def test_weights_that_do_not_open_are_reported(model: Path) -> None:
    (model / "SHA256SUMS").unlink()
    (model / "onnx" / "model.onnx").write_bytes(b"")
    answer = twinvec("verify", model)
    assert answer.exit_code == 1
    assert "ModelError" in answer.stdout.splitlines()[0]
    assert answer.stdout.count("fine") == 4  # all but fp32


def test_different_and_missing_reference_vectors_are_reported(model: Path) -> None:
    (model / "SHA256SUMS").unlink()
    file = model / REFERENCE_FILE
    references = json.loads(file.read_text(encoding="utf-8"))
    references["w8"]["vectors"][2][5] += 1e-3  # not the first text: opening would not notice
    del references["w16"]
    file.write_text(json.dumps(references), encoding="utf-8")
    answer = twinvec("verify", model, "--json")
    assert answer.exit_code == 1
    rows = {row["dtype"]: row for row in report_of(answer)}
    assert "differ by 0.001 from" in rows["w8"]["failure"]
    assert "no reference vectors" in rows["w16"]["failure"]
    assert "failure" not in rows["fp32"]


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    answer = twinvec("verify", tmp_path)
    assert answer.exit_code == 1
    assert "has no weights under onnx/" in answer.output


@pytest.fixture
def site(model: Path, tmp_path: Path) -> Path:
    answer = twinvec("site", tmp_path / "site", "--model", model)
    assert answer.exit_code == 0, answer.output
    return tmp_path / "site"


def test_a_site_is_compared_with_its_manifest(site: Path) -> None:
    (site / "index.html").write_text("the owner's", encoding="utf-8")
    answer = twinvec("verify", site)
    assert answer.exit_code == 0
    assert answer.stdout.endswith("files are listed in manifest.json, 0 differ.\n")


def test_each_different_file_of_a_site_is_reported(site: Path) -> None:
    worker, archive = site / "workers" / "python.js", site / "runtime" / "twinvec.zip"
    worker.write_bytes(worker.read_bytes().replace(b"a", b"b", 1))
    archive.unlink()  # it also marks the folder as a site
    (site / "runtime" / "mine.js").touch()
    answer = twinvec("verify", site)
    assert answer.exit_code == 1
    assert "workers/python.js: altered: expected SHA-256" in answer.stdout
    assert "runtime/twinvec.zip: missing\n" in answer.stdout
    assert "runtime/mine.js: not listed\n" in answer.stdout
    answer = twinvec("verify", site, "--json")
    assert answer.exit_code == 1
    report = report_of(answer)
    paths = ["workers/python.js", "runtime/twinvec.zip", "runtime/mine.js"]
    assert sorted(row["path"] for row in report["differences"]) == sorted(paths)


def test_a_site_without_a_manifest_is_an_error(site: Path) -> None:
    (site / "manifest.json").unlink()
    answer = twinvec("verify", site)
    assert answer.exit_code == 1
    assert "manifest.json is missing; build the site again" in answer.output
