"""One generator, driven with blocking reads and with `await`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import finish
from indexes import shard_of, small_index, write_small_shards
from twinvec import Index, IndexFormatError
from twinvec.index.manifest import Manifest, Shard
from twinvec.index.stores.base import Part, Steps, adrive, drive, read_all
from twinvec.index.stores.folder import FolderStore


def count_shards() -> Steps[int]:
    (content,) = yield [Part()]
    manifest = Manifest.from_json(content)
    return sum(map(len, manifest.shards.values()))


def test_both_drivers_return_the_result(tmp_path: Path) -> None:
    small_index().save(tmp_path)
    store = FolderStore(tmp_path)
    files = len(list(tmp_path.iterdir())) - 1
    assert drive(count_shards(), store) == files
    assert finish(adrive(count_shards(), store)) == files


def test_an_error_of_the_store_ends_the_generator(tmp_path: Path) -> None:
    closed: list[bool] = []

    def steps() -> Steps[None]:
        try:
            yield [Part(Shard("codes-0.npy", 1, 1, ""))]
        finally:
            closed.append(True)

    for run in (drive, lambda generator, store: finish(adrive(generator, store))):
        with pytest.raises(IndexFormatError, match=r"codes-0\.npy cannot be read"):
            run(steps(), FolderStore(tmp_path))
    assert closed == [True, True]


def test_all_shards_of_a_kind_become_one_array(tmp_path: Path) -> None:
    small_index("int8").save(tmp_path / "one")
    write_small_shards(tmp_path / "many", "int8")
    store = FolderStore(tmp_path / "many")
    manifest = Manifest.from_json(store.read([Part()])[0])
    assert len(manifest.shards["codes"]) == 5
    codes = drive(read_all(manifest, "codes"), store)
    assert (codes == np.load(shard_of(tmp_path / "one", "codes"))).all()


def test_progress_counts_the_bytes_of_vectors_and_lines(tmp_path: Path) -> None:
    write_small_shards(tmp_path, "int8")
    calls: list[tuple[int, int]] = []
    loaded = Index.load(tmp_path, progress=lambda done, total: calls.append((done, total)))
    loaded.documents()
    loaded.search("one", mode="lexical")
    files = [file for kind in ("codes", "scales", "lines") for file in tmp_path.glob(f"{kind}-*")]
    total = sum(file.stat().st_size for file in files)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert {of for _, of in calls} == {total}
    assert total in [done for done, _ in calls]
