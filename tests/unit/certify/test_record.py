"""CPython's results over the files of a site."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from twinvec import Embedder, IntegrityError, TwinvecError
from twinvec.certify.record import (
    BOUND,
    NativeResults,
    native_versions,
    open_site_model,
    record,
    site_models,
    write_record,
)
from twinvec.certify.texts import Sample


def test_results_are_those_of_the_embedder(site: Path, tmp_path: Path) -> None:
    (info,) = site_models(site)
    sample = Sample(["word1 word2", "word3"], ["word2"])
    with closing(open_site_model(site, info, "fp32")) as embedder:
        result = record(embedder, sample, tmp_path / "index")
        assert np.array_equal(result.vectors, embedder.encode(["word1 word2", "word3", "word2"]))
        assert result.ids == [[1, 2], [3]]
        assert result.fingerprint == embedder.fingerprint
    assert [[name for name, _ in hits] for hits in result.hits["lexical"]] == [["text-0"]]
    assert (
        result.weights_bytes == (site / "models" / info.name / info.weights["fp32"]).stat().st_size
    )


def test_bounds_are_those_of_the_class(natives: list[NativeResults]) -> None:
    assert {native.dtype: native.bound for native in natives} == {
        "fp32": BOUND,
        "w8a8": 0,
        "q8": 0.05,
    }


def test_a_record_has_what_the_page_compares(tmp_path: Path, natives: list[NativeResults]) -> None:
    write_record(tmp_path, Sample(["a"], ["b"]), natives)
    recorded = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    assert recorded["texts"] == ["a"]
    assert set(recorded["dtypes"]) == {"fp32", "w8a8", "q8"}
    assert recorded["native"] == native_versions()


def test_changed_weights_are_refused(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site / "models", tmp_path / "models")
    (info,) = site_models(tmp_path)
    (tmp_path / "models" / info.name / info.weights["fp32"]).write_bytes(b"other")
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        open_site_model(tmp_path, info, "fp32")


def test_a_folder_that_is_no_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TwinvecError, match="name a folder that `twinvec site` wrote"):
        site_models(tmp_path)


def test_an_embedder_of_a_site_is_an_embedder(site: Path) -> None:
    (info,) = site_models(site)
    with closing(open_site_model(site, info, "w8a8")) as embedder:
        assert isinstance(embedder, Embedder)
        deviation = embedder.check_parity()
        assert deviation is not None
        assert deviation < 1e-8  # references are rounded
