from __future__ import annotations

from pathlib import Path

import numpy as np

from indexes import DIM, TEXTS, write_small_shards
from twinvec import Document
from twinvec.index.documents import MemoryDocuments
from twinvec.index.manifest import Manifest
from twinvec.index.segment import Segment, read_documents
from twinvec.index.stores.base import Part, drive
from twinvec.index.stores.folder import FolderStore
from twinvec.index.vectors import Matrix


def test_positions_count_through_all_segments(tmp_path: Path) -> None:
    write_small_shards(tmp_path, "int8")
    store = FolderStore(tmp_path)
    loaded = drive(Segment.load(Manifest.from_json(store.read([Part()])[0])), store)
    added = Segment.empty(len(loaded), Matrix("int8", DIM, 1))
    assert isinstance(added.documents, MemoryDocuments)
    added.documents.append([Document("new", "a new text")])
    documents = drive(read_documents([loaded, added], [5, 0, 4]), store)
    assert [document.text for document in documents] == ["a new text", TEXTS[0], TEXTS[4]]
    loaded.removed = np.array([1, 3])
    assert (len(loaded), loaded.live_rows().tolist()) == (5, [0, 2, 4])
