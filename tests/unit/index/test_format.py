"""The files of an index: standard formats, and the errors for those that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexes import PRECISIONS, TEXTS, shard_of, small_index, unit_vectors
from twinvec.index.format import check_dim, parse_json, precision_for


@pytest.mark.parametrize("precision", PRECISIONS)
def test_plain_numpy_reads_it(tmp_path: Path, precision: str) -> None:
    small_index(precision).save(tmp_path)
    block = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    assert (block["version"], block["count"], block["dim"]) == (3, 5, 70)

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


@pytest.mark.parametrize("dim", [0, -1, 32_769, True, 3.0, "3"])
def test_a_dim_out_of_range_is_refused(dim: Any) -> None:
    with pytest.raises(ValueError, match="dim must be a whole number from 1 to 32768"):
        check_dim(dim)
    assert check_dim(32_768) == 32_768


def test_json_is_read_up_to_a_depth() -> None:
    assert parse_json(b"[" * 100 + b"]" * 100)
    assert len(parse_json(b"[" + b"[{}]," * 1000 + b"1]")) == 1001
    assert parse_json(b'{"a": "' + b"[" * 1000 + b'\\\\"}')
    for deep in (b"[" * 101 + b"]" * 101, b'{"":' * 200, b'["\\"]", ' + b"[" * 100_000):
        with pytest.raises(ValueError, match="nested deeper than 100 levels"):
            parse_json(deep)


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", "{", "\ufeff{}", "1" * 5000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text.encode())


def test_the_precision_depends_on_the_number_of_documents() -> None:
    assert (precision_for(5_000), precision_for(5_001)) == ("float32", "int8")
