"""Writers that are killed at every file operation, the first time and over an old result.

Expected: afterwards the old or the new index loads; a second run finishes, equals an uninterrupted
one byte for byte, and leaves no other file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from indexes import DIM, FINGERPRINT, SMALL, TEXTS, small_index, unit_vectors
from killing import killed_at_every_operation, tree
from twinvec import Document, Index, IndexWriter, normalize
from twinvec.cli.vectors_file import VectorsFile
from twinvec.files.atomic import locked
from twinvec.index.writing.shards import check_folder, replace_folder
from twinvec.index.writing.update import write_index

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

Work = Callable[[Path], object]


class BytesEmbedder:
    """A text's vector is its bytes."""

    fingerprint = FINGERPRINT
    info = SimpleNamespace(dim=DIM)
    truncated = 0

    def encode_document(self, texts: list[str], **_: Any) -> Any:
        return self.encode(texts)

    def encode(self, texts: list[str], **_: Any) -> Any:
        vectors = np.zeros((len(texts), DIM), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            content = text.encode("utf-8", "surrogatepass")
            row[: len(content)] = list(content)
        return normalize(vectors)


def new_index() -> Index:
    """Make an index that shares some shards with `small_index`."""
    index = small_index()
    index.remove(["1"])
    index.add_vectors(["a sixth text"], unit_vectors(6)[5:])
    return index


def save_folder(folder: Path) -> None:
    new_index().save(folder / "index")


def save_archive(folder: Path) -> None:
    new_index().save(folder / "index.zip")


def write_shards(folder: Path) -> None:
    """Write many shards of every kind, and temporary files of postings."""
    options: Any = {"precision": "float32", "dim": DIM, "limits": SMALL}
    with IndexWriter(folder / "index", FINGERPRINT, **options) as writer:
        documents = [Document(str(n), text) for n, text in enumerate(TEXTS[1:4])]
        writer.add(documents, unit_vectors(4)[1:])


def update(folder: Path) -> None:
    """Write with a journal, as `twinvec index` does."""
    check_folder(folder / "index")
    embedder: Any = BytesEmbedder()
    documents = (Document(str(n), text) for n, text in enumerate(["new", *TEXTS[1:]]))
    write_index(documents, folder / "index", embedder, batch_documents=2)


def copy(folder: Path) -> None:
    """Copy an index over another, as `twinvec site --index` does."""
    replace_folder(folder / "index", folder.parents[2] / "source")


def embed(folder: Path) -> None:
    """Write a file of vectors, as `twinvec embed` does."""
    embedder: Any = BytesEmbedder()
    with locked(folder / "index.npy"):
        vectors = VectorsFile(folder / "index.npy", (len(TEXTS), DIM), {"prompt": ""})
        vectors.fill(TEXTS, embedder, "", lambda *_: None, texts_per_write=2)


def old_folder(folder: Path) -> None:
    small_index().save(folder / "index")


def old_archive(folder: Path) -> None:
    small_index().save(folder / "index.zip")


def old_vectors(folder: Path) -> None:
    np.save(folder / "index.npy", unit_vectors(2))


def nothing(folder: Path) -> None:
    assert folder.is_dir()


def load(folder: Path) -> object:
    """Open the result, in any form that a reader could compare."""
    if (folder / "index.npy").exists():
        return np.load(folder / "index.npy").tolist()
    location = folder / "index.zip" if (folder / "index.zip").exists() else folder / "index"
    return Index.load(location).documents()


CASES: dict[str, tuple[Work, Work]] = {
    "save": (nothing, save_folder),
    "save over an index": (old_folder, save_folder),
    "save an archive": (nothing, save_archive),
    "save an archive over another": (old_archive, save_archive),
    "IndexWriter": (nothing, write_shards),
    "IndexWriter over an index": (old_folder, write_shards),
    "index": (nothing, update),
    "index over an index": (old_folder, update),
    "copy": (nothing, copy),
    "copy over an index": (old_folder, copy),
    "embed": (nothing, embed),
    "embed over a file": (old_vectors, embed),
}


@pytest.mark.parametrize("case", CASES)
def test_old_or_new_loads_and_a_second_run_finishes(memory_path: Path, case: str) -> None:
    prepare, work = CASES[case]
    new_index().save(memory_path / "source")
    whole = memory_path / "runs" / "whole" / "here"
    whole.mkdir(parents=True)
    prepare(whole)
    states = [load(whole)] if prepare is not nothing else []
    work(whole)
    expected = tree(whole)
    states.append(load(whole))
    killed = 0
    for operation, folder in killed_at_every_operation(memory_path / "runs", prepare, work):
        killed += 1
        first = prepare is nothing
        is_there = any(
            (folder / name).exists() for name in ("index/index.json", "index.zip", "index.npy")
        )
        assert is_there or first, operation
        if is_there:
            assert load(folder) in states, operation
        work(folder)
        assert tree(folder) == expected, operation
        shutil.rmtree(folder.parent)
    assert killed >= 10
