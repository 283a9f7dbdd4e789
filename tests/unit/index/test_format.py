"""The files of an index: standard formats, and the errors for those that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexes import PRECISIONS, TEXTS, shard_of, small_index, unit_vectors
from twinvec import Index, IndexFormatError
from twinvec.index.format import Manifest, Shard, from_npy, precision_for, to_npy


@pytest.mark.parametrize("precision", PRECISIONS)
def test_plain_numpy_reads_it(tmp_path: Path, precision: str) -> None:
    small_index(precision).save(tmp_path)
    block = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    assert (block["version"], block["count"], block["dim"]) == (2, 5, 70)

    def array(kind: str) -> Any:
        return np.concatenate(
            [np.load(tmp_path / shard["file"]) for shard in block["shards"][kind]]
        )

    vectors = unit_vectors(5)
    if precision == "float32":
        assert (array("vectors") == vectors).all()
    elif precision == "int8":
        restored = array("codes") * array("scales")[:, np.newaxis]
        assert np.abs(restored - vectors).max() < 0.002
    else:
        signs = np.unpackbits(array("bits"), axis=1, count=70)
        assert (signs == (vectors > 0)).all()
    lines = shard_of(tmp_path, "documents").read_text(encoding="ascii").splitlines()
    assert json.loads(lines[1]) == {"id": "1", "text": TEXTS[1], "metadata": {"n": 1}}
    documents = shard_of(tmp_path, "documents").read_bytes()
    assert documents[int(array("lines")[2, 0]) :].startswith(lines[2].encode())


@pytest.mark.parametrize("text", ["[]", "{}", "null", "1", '"x"', "<!doctype html>", ""])
def test_another_file_in_the_place_of_the_manifest_is_an_error(tmp_path: Path, text: str) -> None:
    small_index().save(tmp_path)
    (tmp_path / "index.json").write_text(text, encoding="utf-8")
    message = r"index\.json is damaged, or the server sent another page"
    with pytest.raises(IndexFormatError, match=message):
        Index.load(tmp_path)


@pytest.mark.parametrize("version", [1, 9])
def test_another_version_is_an_error(tmp_path: Path, version: int) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"version": version, "texts": []}), "utf-8")
    message = f"index version {version} is not supported.*Build the index again"
    with pytest.raises(IndexFormatError, match=message):
        Index.load(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 6),
        ("dim", 71),
        ("precision", "int4"),
        ("fingerprint", None),
        ("shards", {}),
        ("shards", []),
    ],
)
def test_a_manifest_that_contradicts_its_files_is_an_error(
    tmp_path: Path, field: str, value: Any
) -> None:
    small_index().save(tmp_path)
    file = tmp_path / "index.json"
    block = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**block, field: value}), encoding="utf-8")
    with pytest.raises(IndexFormatError, match=r"index\.json is damaged|not float32 \[5, 71\]"):
        Index.load(tmp_path)


def test_a_file_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    small_index().save(tmp_path)
    file = tmp_path / "index.json"
    text = file.read_text(encoding="utf-8").replace("vectors-", "../vectors-")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(IndexFormatError, match=r"it lists a file \.\./vectors"):
        Index.load(tmp_path)


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    small_index("int8").save(tmp_path)
    content = (tmp_path / "index.json").read_bytes()
    assert Manifest.from_json(content).to_json() == content


def test_an_array_of_another_kind_is_an_error() -> None:
    content = to_npy(np.zeros((2, 3), np.int8))
    shard = Shard("codes-0.npy", 2, len(content), "")
    assert from_npy(shard, content, "codes", 3).shape == (2, 3)
    for kind, dim, data in (("codes", 4, content), ("bits", 24, content), ("codes", 3, b"x" * 99)):
        with pytest.raises(IndexFormatError, match=r"codes-0\.npy (holds|is not a \.npy file)"):
            from_npy(shard, data, kind, dim)


def test_the_precision_depends_on_the_number_of_documents() -> None:
    assert (precision_for(5_000), precision_for(5_001)) == ("float32", "int8")
