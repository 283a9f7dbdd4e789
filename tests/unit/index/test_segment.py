from __future__ import annotations

from pathlib import Path

from indexes import DIM, TEXTS, unit_vectors, write_small_shards
from twinvec import Document
from twinvec.index.format import text_digest
from twinvec.index.manifest import Manifest
from twinvec.index.segment import Segment, read_documents
from twinvec.index.stores.base import Part, drive
from twinvec.index.stores.folder import FolderStore
from twinvec.index.vectors import Matrix, quantize


def test_positions_count_through_all_segments(tmp_path: Path) -> None:
    write_small_shards(tmp_path, "int8")
    store = FolderStore(tmp_path)
    loaded = drive(Segment.load(Manifest.from_json(store.read([Part()])[0])), store)
    empty = Segment.empty(len(loaded), Matrix("int8", DIM))
    added = empty.appended([Document("new", "a new text")], quantize(unit_vectors(1), "int8"))
    documents = drive(read_documents([loaded, added], [5, 0, 4]), store)
    assert [document.text for document in documents] == ["a new text", TEXTS[0], TEXTS[4]]
    without = loaded.without([3, 1, 5])
    assert (len(without), without.live_rows().tolist()) == (5, [0, 2, 4])
    assert loaded.live_rows().tolist() == [0, 1, 2, 3, 4]


def test_a_segment_keeps_its_rows_when_more_are_appended() -> None:
    arrays = quantize(unit_vectors(3), "float32")
    first = Segment.empty(0, Matrix("float32", DIM)).appended(
        [Document("a", "one two")], {"vectors": arrays["vectors"][:1]}
    )
    rest = [Document("b", "two three"), Document("c", "two")]
    second = first.appended(rest, {"vectors": arrays["vectors"][1:]})
    assert (len(first), len(second)) == (1, 3)
    for segment, frequency in ((first, 1), (second, 3)):
        two, three = text_digest("two"), text_digest("three")
        assert drive(segment.vocabulary.document_frequencies([two, three]), None) == [
            frequency,
            int(frequency > 1),
        ]
        assert len(drive(segment.vocabulary.lengths(), None)) == frequency
