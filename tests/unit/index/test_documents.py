"""Documents are read line by line, those close together at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexes import FINGERPRINT, small_index, unit_vectors, write_small_shards
from twinvec import Document, Index, IndexFormatError, IntegrityError
from twinvec.index.documents import MAX_GAP_BYTES, StoredDocuments, to_line
from twinvec.index.format import digest
from twinvec.index.manifest import Manifest, Shard
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


def test_metadata_nested_too_deep_to_be_read_is_not_written(tmp_path: Path) -> None:
    metadata: dict[str, Any] = {}
    for _ in range(98):
        metadata = {"": metadata}
    assert to_line(Document("1", "a", metadata))
    for depth in (1, 3000):
        for _ in range(depth):
            metadata = {"": metadata}
        with pytest.raises(ValueError, match="nested deeper than 100 levels"):
            to_line(Document("1", "a", metadata))
        index = Index(FINGERPRINT, dim=8)
        with pytest.raises(ValueError, match=r"metadata\[0\] is not JSON \(nested deeper"):
            index.add_vectors(["a"], unit_vectors(1, 8), metadata=[metadata])
    assert list(tmp_path.iterdir()) == []


LINES: list[bytes] = [
    *(b"", b"[]", b"null", b'"a"', b"{}", b'{"id": "1"}', b"{", b"\xff", b"[" * 100_000),
    b'{"id": 1, "text": "a", "metadata": {}}',
    b'{"id": "1", "text": null, "metadata": {}}',
    b'{"id": "1", "text": "a", "metadata": []}',
    b'{"id": "1", "text": "a", "metadata": {}, "more": 1}',
    b'{"id": "1", "text": "a", "metadata": {"x": NaN}}',
    b'{"id": "1", "text": "a", "metadata": ' + b'{"":' * 100_000,
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: str(line[:50]))
def test_a_line_that_is_no_document_is_an_error(tmp_path: Path, line: bytes) -> None:
    shard = Shard("documents-0.jsonl", 1, len(line) + 1, "")
    (tmp_path / shard.file).write_bytes(line + b"\n")
    documents = StoredDocuments([shard], np.array([[0, digest(line)]], np.uint64))
    with pytest.raises(IndexFormatError, match=r"documents-0\.jsonl: a document is damaged"):
        drive(documents.read([0]), FolderStore(tmp_path))


@pytest.mark.parametrize("starts", [[1, 5], [0, 0], [5, 0], [0, 100], [0, 2**64 - 1]])
def test_lines_that_do_not_follow_each_other_are_an_error(starts: list[int]) -> None:
    lines = np.array([[start, 0] for start in starts], np.uint64)
    with pytest.raises(IndexFormatError, match="the parts of documents-0 do not follow each other"):
        StoredDocuments([Shard("documents-0", 2, 100, "")], lines)


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
