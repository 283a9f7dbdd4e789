"""The documents of an open index, and the changes to them: adding and removing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from twinvec.encoding.tokenizer import check_texts
from twinvec.errors import DownloadError, IndexFormatError
from twinvec.index.documents import Document, MemoryDocuments, to_line
from twinvec.index.format import vector_kinds
from twinvec.index.ids import Ids
from twinvec.index.manifest import Manifest
from twinvec.index.segment import Segment, read_documents
from twinvec.index.stores.base import Part, read_whole
from twinvec.index.stores.folder import FolderStore
from twinvec.index.stores.shared import SharedReads
from twinvec.index.vectors import Matrix, check_vectors, quantize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from twinvec.index.format import Precision
    from twinvec.index.stores.base import Steps, Store
    from twinvec.index.writing.writer import IndexWriter

T = TypeVar("T")
DOCUMENTS_PER_WRITE = 1024


class Contents:
    """Documents with their vectors and terms: a loaded segment, and a segment of added ones.

    Methods that may read from the store return `Steps`. `add` and `remove` of two threads must not
    overlap; the others may be called at any time.

    Args:
        precision: of the stored vectors.
        dim: length of a vector.
        store: source of the loaded segment; None for a new index.
    """

    def __init__(self, precision: Precision, dim: int, store: Store | None = None) -> None:
        self.store = store
        self.reads = None if store is None else SharedReads(store)
        self.segments: list[Segment] = []
        self._precision = precision
        self._dim = dim
        self._ids = Ids()
        self._manifest: Manifest | None = None

    @classmethod
    def load(cls, store: Store) -> Steps[tuple[Manifest, Contents]]:
        """Read `index.json` and the vectors of a saved index."""
        return (yield from read_whole(partial(cls._load, store)))

    @classmethod
    def _load(cls, store: Store, manifest: Manifest) -> Steps[tuple[Manifest, Contents]]:
        kinds = (*vector_kinds(manifest.precision), "lines")
        store.expect(
            sum(shard.bytes for kind in kinds for shard in manifest.shards[kind]),
            [shard.sha256 for shard in manifest.files],
        )
        contents = cls(manifest.precision, manifest.dim, store)
        contents._manifest = manifest
        contents._ids = Ids(manifest)
        contents.segments = [(yield from Segment.load(manifest))]
        return manifest, contents

    def __len__(self) -> int:
        """Count the documents."""
        return sum(len(segment) - len(segment.removed) for segment in self.segments)

    def naming_replacement(self, steps: Steps[T]) -> Steps[T]:
        """Run steps, and explain a failure if the index was replaced after it was loaded.

        Raises:
            IndexFormatError: a file is missing, since another run replaced the index.
        """
        try:
            return (yield from steps)
        except (IndexFormatError, DownloadError) as err:
            if self._manifest is None:
                raise
            try:
                (content,) = yield [Part()]
                is_replaced = Manifest.from_json(content) != self._manifest
            except (IndexFormatError, DownloadError):
                is_replaced = False  # it is gone, or damaged
            if not is_replaced:
                raise
            raise IndexFormatError(
                f"the index was replaced after it was opened; open it again ({err})"
            ) from err

    def is_at(self, location: Path | str) -> bool:
        """Check whether the store reads from this folder or archive."""
        with suppress(OSError):  # it may have been moved since
            return isinstance(self.store, FolderStore) and self.store.path.samefile(location)
        return False

    def read(self, start: int, stop: int | None) -> Steps[list[Document]]:
        """Return documents in order, as a slice of all of them."""
        segments = self.segments  # a change replaces the list
        live = [segment.live_rows() + segment.offset for segment in segments]
        positions = np.concatenate([np.empty(0, np.int64), *live])[start:stop]
        return (yield from read_documents(segments, positions.tolist()))

    def write(self, writer: IndexWriter) -> Steps[None]:
        """Write all documents, with their vectors as they are stored."""
        for segment in self.segments:
            rows = segment.live_rows()
            for start in range(0, len(rows), DOCUMENTS_PER_WRITE):
                batch = rows[start : start + DOCUMENTS_PER_WRITE]
                documents = yield from segment.documents.read(batch.tolist())
                writer.add_stored(documents, segment.matrix.take(batch))

    def new_documents(
        self,
        texts: Sequence[str],
        ids: Sequence[str] | None,
        metadata: Sequence[Mapping[str, Any]] | None,
    ) -> Steps[list[Document]]:
        """Pair texts with ids and metadata, and check that the ids are free.

        Raises:
            ValueError: the numbers of texts, ids and metadata differ, an id is in use, or metadata
                is not JSON.
        """
        for name, values in (("ids", ids), ("metadata", metadata)):
            if values is not None and not hasattr(values, "__len__"):
                raise TypeError(f"{name} must be a list, not {type(values).__name__}")
            if values is not None and len(values) != len(texts):
                raise ValueError(f"{len(texts)} texts need as many {name}, not {len(values)}")
        names = (yield from self._free_ids(len(texts))) if ids is None else check_texts(ids, "ids")
        mappings = [{} for _ in texts] if metadata is None else _mappings(metadata)
        documents = list(map(Document, names, texts, mappings))
        seen: set[str] = set()
        for i, document in enumerate(documents):
            if document.id in seen or (yield from self._find(document.id)) is not None:
                raise ValueError(
                    f"ids[{i}]: the id {document.id!r} is already in use; give each document a "
                    "unique id, or remove the existing document first"
                )
            seen.add(document.id)
            try:
                to_line(document)
            except (TypeError, ValueError) as err:
                raise ValueError(f"metadata[{i}] is not JSON ({err})") from err
        return documents

    def add(
        self,
        texts: Sequence[str],
        vectors: ArrayLike,
        ids: Sequence[str] | None,
        metadata: Sequence[Mapping[str, Any]] | None,
    ) -> Steps[None]:
        """Append documents, all or none; see `Index.add_vectors`."""
        documents = yield from self.new_documents(texts, ids, metadata)
        stored = quantize(check_vectors(vectors, len(documents), self._dim), self._precision)
        *others, segment = self.segments or [Segment.empty(0, Matrix(self._precision, self._dim))]
        if not isinstance(segment.documents, MemoryDocuments):
            others.append(segment)
            offset = segment.offset + len(segment)
            segment = Segment.empty(offset, Matrix(self._precision, self._dim))
        larger = segment.appended(documents, stored)
        for position, document in enumerate(documents, segment.offset + len(segment)):
            self._ids.add(document.id, position)
        self.segments = [*others, larger]

    def remove(self, ids: Sequence[str]) -> Steps[None]:
        """Remove documents, all or none.

        Raises:
            KeyError: no document has one of the ids.
        """
        positions = []
        for document_id in check_texts(ids):
            position = yield from self._find(document_id)
            if position is None:
                raise KeyError(f"no document has the id {document_id!r}")
            positions.append(position)
        self.segments = [segment.without(positions) for segment in self.segments]

    def _free_ids(self, count: int) -> Steps[list[str]]:
        """Count on from the number of positions, skipping ids that are in use."""
        free: list[str] = []
        number = sum(map(len, self.segments))
        while len(free) < count:
            if (yield from self._find(str(number))) is None:
                free.append(str(number))
            number += 1
        return free

    def _find(self, document_id: str) -> Steps[int | None]:
        """Find the position of an id; None if its document was removed or never added."""
        position = yield from self._ids.find(document_id)
        for segment in self.segments:
            if position is not None and segment.offset <= position < segment.offset + len(segment):
                return None if position - segment.offset in segment.removed else position
        return None


def _mappings(metadata: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    for i, mapping in enumerate(metadata):
        if not isinstance(mapping, Mapping):
            raise TypeError(f"metadata[{i}] must be a mapping, not {type(mapping).__name__}")
    return list(map(dict, metadata))
