"""The sample index of a site whose owner gives none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinvec.index import Index

if TYPE_CHECKING:
    from pathlib import Path

    from twinvec.embedder import Embedder

# The default model's card ranks these texts for this query.
SAMPLE_TEXTS = [
    "Hello world.",
    (
        "The giant panda (Ailuropoda melanoleuca), sometimes called a panda bear or simply panda, "
        "is a bear species endemic to China."
    ),
    "I love pandas so much!",
]
SAMPLE_QUERY = "What is a panda?"


def load_own_index(folder: Path, embedder: Embedder) -> Index | None:
    """Load an index that the site's owner wrote; None for the sample index or no index.

    Raises:
        IndexMismatchError: the embedder does not fit the index.
        IndexFormatError: the index cannot be read.
    """
    if not (folder / "index.json").exists():
        return None
    index = Index.load(folder)
    documents = index.documents(0, len(SAMPLE_TEXTS) + 1)
    if [document.text for document in documents] == SAMPLE_TEXTS:
        return None
    index.check(embedder)
    return index


def write_sample(folder: Path, embedder: Embedder) -> Index:
    """Index the sample texts into a folder."""
    index = Index.build(SAMPLE_TEXTS, embedder)
    index.save(folder)
    return index
