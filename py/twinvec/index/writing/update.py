"""Passages into an index on disk: read once, embedded only where they are new."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, TypeAlias

from filelock import FileLock, Timeout

from twinvec.errors import IndexFormatError, TwinvecError
from twinvec.index import Document, IndexWriter
from twinvec.index.format import MANIFEST, Manifest, precision_for, wide_digest
from twinvec.index.writing.journal import Journal
from twinvec.index.writing.shards import check_manifest, naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from twinvec.embedder import Embedder
    from twinvec.encoding.pipeline import Progress
    from twinvec.index.format import Precision

    Engine: TypeAlias = Callable[[Iterable[str]], Iterable[tuple[list[bytes], NDArray[np.float32]]]]

__all__ = ["Written", "write_index"]

_BATCH = 256  # passages embedded between two writes: at most some seconds of work are lost


@dataclass(frozen=True)
class Written:
    """How many passages an index has, how many texts had to be embedded, and its precision."""

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
) -> Written:
    """Write passages into a folder, showing progress; memory does not grow with their texts.

    What the folder's index has of the same text and fingerprint is taken over; of equal texts in a
    batch one is embedded. Vectors of a run that was ended are kept in `<folder>.part` beside it,
    and taken up by the next one. What is put aside meanwhile lies beside it too, or in it.

    Args:
        documents: a stream; it is read to its end before anything is embedded, so that what is
            wrong with it is told at once.
        folder: made if it is not there; its index stays whole until the new one is complete.
        embedder: of documents.
        precision: see `Index.build`; None also keeps that of the index that is there.
        lexical: see `IndexWriter`.
        engine: embeds documents elsewhere, with the embedder's fingerprint: takes texts, and gives
            vectors by the digests of their texts, in any order; None for here.

    Raises:
        ValueError: an id is there twice, or metadata are not JSON.
        IndexFormatError: the folder's `index.json` is another program's.
        TwinvecError: another run writes this index at the moment, or `<folder>.part` is another
            program's.
        OSError: the disk is full, or the like.
    """
    folder = folder.resolve()
    check_manifest(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    dim, fingerprint = embedder.info.dim, embedder.fingerprint
    part = folder.with_name(f"{folder.name}.part")
    with (
        _alone(folder),
        naming(folder.parent),
        closing(Journal(part, fingerprint, dim)) as journal,
        tempfile.TemporaryFile("w+", encoding="utf-8", dir=folder.parent) as spool,
    ):
        count = _spool(documents, spool)
        chosen = precision or _precision(folder, count)
        with IndexWriter(folder, fingerprint, precision=chosen, dim=dim, lexical=lexical) as writer:
            embedded = _Run(writer, journal, embedder, engine).all(spool)
        journal.discard()
    return Written(count, embedded, chosen)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep out other runs, whose vectors would mix with these in `<folder>.part`."""
    file = folder.with_name(f".{folder.name}.twinvec-lock")
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout as err:
        raise TwinvecError(
            f"another run writes {folder} at the moment, and holds {file}; wait until it is done, "
            "or end it"
        ) from err
    except (OSError, NotImplementedError):  # some network drives have no locks
        pass
    try:
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):  # Windows deletes nothing that is open, but filelock does then
                file.unlink()
            lock.release()


class _Run:
    """Takes every vector from the index that is there, else the journal, else the embedder."""

    def __init__(
        self, writer: IndexWriter, journal: Journal, embedder: Embedder, engine: Engine | None
    ) -> None:
        self._writer, self._journal, self._embedder = writer, journal, embedder
        self._engine = engine

    def all(self, spool: IO[str]) -> int:
        """Write all passages; tell how many had to be embedded."""
        from tqdm.auto import tqdm

        missing = sum(1 for _ in self._missing(spool))
        with tqdm(total=missing, desc="Embedding", unit=" passages") as bar:
            if missing and self._engine:
                for digests, vectors in self._engine(self._missing(spool)):
                    self._journal.append(digests, vectors)
                    bar.update(len(digests))
                self._journal.reread()
            for batch in _batches(spool):
                self._write(batch, lambda *_: bar.update())
        return missing

    def _missing(self, spool: IO[str]) -> Iterator[str]:
        for batch in _batches(spool):
            yield from self._find(batch)[1].values()

    def _find(self, batch: list[Document]) -> tuple[NDArray[np.int64], dict[bytes, str]]:
        """Give the rows that the index has, and the texts that nobody has, by digest."""
        texts = [document.text for document in batch]
        rows = self._writer.find(texts)
        new = {wide_digest(text): text for text, row in zip(texts, rows, strict=True) if row < 0}
        return rows, {key: text for key, text in new.items() if key not in self._journal}

    def _write(self, batch: list[Document], progress: Progress) -> None:
        stored, new = self._find(batch)
        made = self._embedder.encode_document(list(new.values()), progress=progress)
        if new:
            self._journal.append(list(new), made)
        fresh = dict(zip(new, made, strict=True))
        vectors = []
        for document, row in zip(batch, stored.tolist(), strict=True):
            if row < 0:
                digest = wide_digest(document.text)
                vectors.append(fresh[digest] if digest in fresh else self._journal[digest])
        self._writer.add(batch, vectors, stored=stored)


def _spool(documents: Iterable[Document], spool: IO[str]) -> int:
    """Put documents aside, and count them."""
    from tqdm.auto import tqdm

    count = 0
    for document in tqdm(documents, desc="Reading", unit=" passages"):
        spool.write(f"{json.dumps(asdict(document))}\n")  # ASCII: there may be lone surrogates
        count += 1
    spool.flush()  # here, so that a full disk is told before anything is embedded
    return count


def _batches(spool: IO[str]) -> Iterator[list[Document]]:
    spool.seek(0)
    while lines := list(islice(spool, _BATCH)):
        yield [Document(**json.loads(line)) for line in lines]


def _precision(folder: Path, count: int) -> Precision:
    """Keep that of the index that is there, so that its vectors can be taken over."""
    if (folder / MANIFEST).is_file():
        with suppress(IndexFormatError):
            return Manifest.from_json((folder / MANIFEST).read_bytes()).precision
    return precision_for(count)
