"""The folder of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinvec import Index, TwinvecError
from twinvec.certify.page import write_page
from twinvec.certify.record import NativeResults
from twinvec.certify.texts import Sample


def test_it_has_the_page_the_record_and_an_index_for_each_dtype(
    natives: list[NativeResults], page_folder: Path
) -> None:
    files = {file.name for file in page_folder.iterdir()}
    assert {"index.html", "page.js", "measure.js", "tokens.js", "record.json"} < files
    for native in natives:
        assert Index.load(page_folder / f"index-{native.dtype}").fingerprint == native.fingerprint


def test_a_missing_dtype_is_refused(site: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no dtype w8; it has fp32, w8a8, q8"):
        write_page(site, tmp_path / "page", Sample(["a"], ["a"]), dtypes=["w8"])
    assert not (tmp_path / "page").exists()


def test_it_needs_the_sources(site: Path, tmp_path: Path) -> None:
    with pytest.raises(TwinvecError, match="run this in a checkout"):
        write_page(site, tmp_path / "page", Sample(["a"], ["a"]), web=tmp_path)
