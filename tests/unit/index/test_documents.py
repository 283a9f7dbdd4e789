"""Documents are read line by line, those close together at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexes import FINGERPRINT, small_index, unit_vectors, write_small_shards
from twinvec import Document, Index, IntegrityError
from twinvec.index.documents import MAX_GAP_BYTES, StoredDocuments, to_line
from twinvec.index.manifest import Manifest
from twinvec.index.stores.base import Part, drive, read_all
from twinvec.index.stores.folder import FolderStore


def opened(folder: Path) -> tuple[StoredDocuments, FolderStore]:
    store = FolderStore(folder)
    manifest = Manifest.from_json(store.read([Part()])[0])
    lines = drive(read_all(manifest, "lines"), store)
    return StoredDocuments(manifest.shards["documents"], lines), store


def test_a_line_is_ascii_and_metadata_json() -> None:
    document = Document("1", "\ud800 caf\u00e9", {"n": [1]})
    assert to_line(document) == rb'{"id": "1", "text": "\ud800 caf\u00e9", "metadata": {"n": [1]}}'
    for value, error in ((float("nan"), ValueError), (object(), TypeError)):
        with pytest.raises(error):
            to_line(Document("1", "a", {"x": value}))


def test_rows_are_read_in_any_order_over_shards(tmp_path: Path) -> None:
    write_small_shards(tmp_path)
    documents, store = opened(tmp_path)
    expected = small_index().documents()
    assert drive(documents.read([4, 0, 2]), store) == [expected[row] for row in (4, 0, 2)]
    assert drive(documents.read([]), store) == []


def test_lines_close_together_are_read_in_one_part(tmp_path: Path) -> None:
    index = Index(FINGERPRINT, dim=8)
    index.add_vectors([str(n) * MAX_GAP_BYTES for n in range(6)], unit_vectors(6, 8))
    index.save(tmp_path)
    documents, _ = opened(tmp_path)
    parts = next(documents.read([5, 0, 1, 3]))
    assert len(parts) == 3  # 0 with 1; a line between 1 and 3 is too long to be read along
    read = opened(tmp_path)[0].read([0, 1])
    assert len(next(read)) == 1


def test_a_document_that_was_read_is_not_read_again(tmp_path: Path) -> None:
    small_index().save(tmp_path)
    documents, store = opened(tmp_path)
    first = drive(documents.read([1, 2]), store)
    for file in tmp_path.glob("documents-*"):
        file.write_bytes(file.read_bytes().replace(b"text", b"tixt"))
    assert drive(documents.read([2, 1]), store) == first[::-1]
    with pytest.raises(IntegrityError, match=r"documents-.*, a range of \d+ bytes: hash mismatch"):
        drive(documents.read([0]), store)
