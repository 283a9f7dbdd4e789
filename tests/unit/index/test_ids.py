from __future__ import annotations

from pathlib import Path

from indexes import small_index
from twinvec.index.ids import Ids
from twinvec.index.manifest import Manifest
from twinvec.index.stores.base import Part, drive
from twinvec.index.stores.folder import FolderStore


def test_added_ids_are_found() -> None:
    ids = Ids()
    ids.add("a", 0)
    ids.add("\ud800", 1)
    found = [drive(ids.find(name), None) for name in ("\ud800", "a", "b")]
    assert found == [1, 0, None]


def test_saved_ids_are_found_and_an_added_id_replaces_one(tmp_path: Path) -> None:
    small_index().save(tmp_path)
    store = FolderStore(tmp_path)
    ids = Ids(Manifest.from_json(store.read([Part()])[0]))
    assert [drive(ids.find(str(n)), store) for n in range(6)] == [0, 1, 2, 3, 4, None]
    ids.add("2", 5)
    assert drive(ids.find("2"), store) == 5
