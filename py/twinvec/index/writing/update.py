"""Write documents into an index on disk, encoding only new texts.

Three steps: read all documents, encode the texts whose vectors are not on disk yet, write the
index.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np

from twinvec.errors import IndexFormatError
from twinvec.files.atomic import locked, temporary_folder
from twinvec.index.documents import Document, to_numbered_line
from twinvec.index.format import MANIFEST, precision_for, wide_digest
from twinvec.index.manifest import Manifest
from twinvec.index.stores.base import Part
from twinvec.index.stores.folder import FolderStore
from twinvec.index.writing.journal import Journal
from twinvec.index.writing.shards import check_manifest, naming_full_disk
from twinvec.index.writing.writer import UnlockedWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.embedder import Embedder
    from twinvec.encoding.pipeline import Progress
    from twinvec.index.format import Precision

    Vectors: TypeAlias = tuple[list[bytes], NDArray[np.float32]]
    # Takes texts; returns wide digests and vectors, float32 [n, dim], in any order.
    Engine: TypeAlias = Callable[[Iterable[str]], Iterable[Vectors]]

BATCH_DOCUMENTS = 256  # encoded between two writes to the disk: a crash loses some seconds of work


@dataclass(frozen=True)
class Written:
    """The result of `write_index`.

    Attributes:
        passages: number of documents in the index.
        embedded: number of texts that had to be encoded.
        precision: of the index.
    """

    passages: int
    embedded: int
    precision: Precision


def write_index(
    documents: Iterable[Document],
    folder: Path,
    embedder: Embedder,
    *,
    precision: Precision | None = None,
    lexical: bool = True,
    engine: Engine | None = None,
    on_read: Callable[[int], object] | None = None,
    on_embed: Progress | None = None,
    batch_documents: int = BATCH_DOCUMENTS,
) -> Written:
    """Write documents into a folder's index; memory does not grow with the size of their texts.

    Vectors already in the folder's index are reused when text and fingerprint match. Duplicate
    texts in a batch are encoded once. The vectors of an interrupted run are kept in
    `<folder>.part`, and the next run continues with them. Temporary files are written beside the
    folder or into it.

    Args:
        documents: read to the end before any text is encoded.
        folder: created if missing; its present index stays intact until the new one is complete.
        embedder: encodes the texts as documents.
        precision: as in `Index.build`; None keeps that of the present index.
        lexical: as in `IndexWriter`.
        engine: encodes the texts elsewhere, with the embedder's fingerprint; see `Engine`.
        on_read: called with the number of documents read so far.
        on_embed: called with the number of texts encoded so far, and of all to encode.
        batch_documents: number of documents between two writes to the disk.

    Raises:
        ValueError: an id occurs twice, or metadata is not JSON.
        IndexFormatError: the folder's `index.json` was not written by twinvec.
        TwinvecError: another run is writing this index, or `<folder>.part` was not written by
            twinvec.
        OSError: writing failed, for example because the disk is full.
    """
    folder = folder.resolve()
    fingerprint, dim = embedder.fingerprint, embedder.info.dim
    with _workspace(folder, fingerprint, dim) as (journal, spool):
        count = _read_all(documents, spool, on_read)
        precision = precision or _present_precision(folder) or precision_for(count)
        with UnlockedWriter(
            folder, fingerprint, precision=precision, dim=dim, lexical=lexical
        ) as writer:
            run = _Run(spool, journal, writer, batch_documents)
            embedded = run.encode_missing(embedder, engine, on_embed)
            run.write_all()
        journal.discard()
    return Written(count, embedded, precision)


@contextmanager
def _workspace(
    folder: Path, fingerprint: Mapping[str, Any], dim: int
) -> Iterator[tuple[Journal, IO[bytes]]]:
    """Lock a folder's index, and open the files beside it: a journal, and one for documents."""
    part = folder.with_name(f"{folder.name}.part")
    with locked(folder), naming_full_disk(folder.parent):
        check_manifest(folder)
        with (
            closing(Journal(part, fingerprint, dim)) as journal,
            temporary_folder(folder) as temporary,
            tempfile.TemporaryFile(dir=temporary) as spool,
        ):
            yield journal, spool


def _read_all(
    documents: Iterable[Document], spool: IO[bytes], on_read: Callable[[int], object] | None
) -> int:
    """Write documents to a temporary file, and count them."""
    count = 0
    for count, document in enumerate(documents, 1):
        spool.write(to_numbered_line(count - 1, document) + b"\n")
        if on_read:
            on_read(count)
    spool.flush()  # so that a full disk is reported before any text is encoded
    return count


class _Run:
    """The steps after reading: vectors come from the present index or from the journal.

    Args:
        spool: the documents as lines of JSON.
        journal: receives the encoded texts.
        writer: of the new index.
        batch_documents: number of documents to hold in memory.
    """

    def __init__(
        self, spool: IO[bytes], journal: Journal, writer: UnlockedWriter, batch_documents: int
    ) -> None:
        self._spool, self._journal, self._writer = spool, journal, writer
        self._batch_documents = batch_documents

    def encode_missing(
        self, embedder: Embedder, engine: Engine | None, on_embed: Progress | None
    ) -> int:
        """Encode all texts whose vectors are missing, into the journal; return their number."""
        missing = sum(1 for _ in self._missing())
        report = partial(_report, on_embed, missing)
        report(0)
        if missing:
            engine = engine or partial(_encode, embedder, self._batch_documents, report)
            done = 0
            for digests, vectors in engine(self._missing()):
                self._journal.append(digests, vectors)
                done += len(digests)
                report(done)
            self._journal.reread()
        return missing

    def write_all(self) -> None:
        """Write all documents with their vectors."""
        for batch in self._batches():
            texts = [document.text for document in batch]
            stored = self._writer.find(texts)
            new = [text for text, row in zip(texts, stored, strict=True) if row < 0]
            self._writer.add(batch, self._journal.vectors(new), stored=stored)

    def _missing(self) -> Iterator[str]:
        """Yield texts without a vector, each once a batch."""
        for batch in self._batches():
            texts = list(dict.fromkeys(document.text for document in batch))
            missing = (self._writer.find(texts) < 0) & (self._journal.find(texts) < 0)
            yield from (texts[i] for i in np.flatnonzero(missing))

    def _batches(self) -> Iterator[list[Document]]:
        self._spool.seek(0)
        while lines := list(islice(self._spool, self._batch_documents)):
            yield [Document(**json.loads(line)) for line in lines]


def _encode(
    embedder: Embedder, batch_size: int, report: Callable[[int], object], texts: Iterable[str]
) -> Iterator[Vectors]:
    """Encode texts in this process: the engine used by default."""
    remaining, done = iter(texts), 0
    while batch := list(islice(remaining, batch_size)):

        def progress(count: int, _: int, before: int = done) -> None:
            report(before + count)

        yield list(map(wide_digest, batch)), embedder.encode_document(batch, progress=progress)
        done += len(batch)


def _report(on_embed: Progress | None, total: int, done: int) -> None:
    if on_embed:
        on_embed(done, total)


def _present_precision(folder: Path) -> Precision | None:
    """Read the precision of the folder's index, whose vectors can be reused only as they are."""
    if (folder / MANIFEST).is_file():
        with suppress(IndexFormatError):
            return Manifest.from_json(FolderStore(folder).read([Part()])[0]).precision
    return None
