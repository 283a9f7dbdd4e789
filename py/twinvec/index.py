"""Texts, their vectors and how these were made, searched by meaning.

On disk an index is a folder of two files: `index.json` (format version, fingerprint of the
embedder, texts) and `vectors.npy` (float32 [n, dim], unit length), both readable without twinvec.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import IndexMismatchError, ParityWarning
from twinvec.pooling import normalize
from twinvec.similarity import dot, semantic_search
from twinvec.tokenization import check_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from twinvec.embedder import Embedder

__all__ = ["Hit", "Index"]

_VERSION = 1


@dataclass(frozen=True)
class Hit:
    """One result: the text, its position in the index, and its cosine similarity."""

    position: int
    score: float
    text: str


class Index:
    """An exact, in-memory index.

    Args:
        texts: the texts, in the order of `vectors`.
        vectors: float32 [len(texts), dim], unit length.
        fingerprint: `Embedder.fingerprint` of what made the vectors.
    """

    def __init__(
        self, texts: list[str], vectors: NDArray[np.float32], fingerprint: Mapping[str, Any]
    ) -> None:
        self.texts = texts
        self.vectors = vectors
        self.fingerprint = dict(fingerprint)

    def __len__(self) -> int:
        """Count the texts."""
        return len(self.texts)

    @classmethod
    def build(cls, texts: Iterable[str], embedder: Embedder) -> Index:
        """Embed texts as documents, with the model's own pooling; raises what `encode` raises."""
        kept = check_texts(texts)
        return cls(kept, embedder.encode_document(kept), embedder.fingerprint)

    def add(self, texts: list[str], vectors: NDArray[np.float32]) -> None:
        """Append texts with vectors that an embedder of this index's fingerprint made.

        Raises:
            TypeError: `texts` is not a list of strings.
            ValueError: `vectors` is not [len(texts), dim].
        """
        checked, shape = check_texts(texts), np.shape(vectors)
        if shape != (len(checked), self.vectors.shape[1]):
            expected = f"[{len(checked)}, {self.vectors.shape[1]}]"
            raise ValueError(f"{len(checked)} texts need vectors {expected}, not of shape {shape}")
        self.vectors = np.concatenate([self.vectors, vectors], dtype=np.float32)
        self.texts = self.texts + checked

    def check(self, embedder: Embedder) -> None:
        """Check that an embedder's vectors are comparable with this index's.

        Raises:
            IndexMismatchError: they are not; the message names every field that differs.
        """
        asked = embedder.fingerprint
        fields = {**self.fingerprint, **asked}
        differing = [key for key in fields if self.fingerprint.get(key) != asked.get(key)]
        if differing:
            pairs = [
                f"{key} (index: {self.fingerprint.get(key)}, embedder: {asked.get(key)})"
                for key in differing
            ]
            raise IndexMismatchError(
                f"the index was built otherwise than this embedder encodes: {'; '.join(pairs)}. "
                "Build the index again with this embedder, or open the embedder it was built with."
            )

    def search(
        self, query: str | NDArray[np.float32], embedder: Embedder | None = None, *, k: int = 10
    ) -> list[Hit]:
        """Rank the texts by cosine similarity to a query, best first.

        Args:
            query: a text, embedded by `embedder` behind the model's query prompt, or a vector,
                float32 [dim] or [1, dim].
            embedder: needed for a text; checked against the index's fingerprint.
            k: how many hits at most.

        Raises:
            IndexMismatchError: the embedder's vectors are not comparable with the index's.
            TypeError: the query is a text and there is no embedder.
            ValueError: the query is not one finite vector of the index's dims, or `k` is below 1.
        """
        if embedder is not None:
            self.check(embedder)
        if not isinstance(query, str):
            vector = np.asarray(query, np.float32)
        elif embedder is not None:
            (vector,) = embedder.encode_query(query)
        else:
            raise TypeError("search(query, embedder): a text needs the embedder as well")
        if vector.ndim != 1 and vector.shape[:-1] != (1,):
            raise ValueError(
                f"the query must be one vector, not of shape {vector.shape}; for several at once "
                "use semantic_search(queries, index.vectors)"
            )
        if not np.isfinite(vector).all():
            raise ValueError("the query's vector is not finite, so that it ranks nothing")
        (matches,) = semantic_search(normalize(vector), self.vectors, k, score_function=dot)
        return [Hit(match.position, match.score, self.texts[match.position]) for match in matches]

    def save(self, folder: Path | str) -> None:
        """Write the index into a folder, made if it is not there.

        Warns with `ParityWarning` where other runtimes' vectors are only near these.
        """
        if self.fingerprint.get("parity") == "approximate":
            warnings.warn(ParityWarning(), stacklevel=2)
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "vectors.npy", self.vectors)
        block = {"version": _VERSION, "fingerprint": self.fingerprint, "texts": self.texts}
        text = json.dumps(block, indent=1)  # ASCII: UTF-8 cannot hold a lone surrogate
        (folder / "index.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path | str) -> Index:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: one of the two files is missing.
            ValueError: the format's version is unknown, a file is damaged, or they do not fit
                each other.
        """
        folder = Path(folder)
        try:
            block = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            vectors = np.load(folder / "vectors.npy", allow_pickle=False)
            version = block["version"]
        except (
            ValueError,
            EOFError,
            KeyError,
            TypeError,
        ) as err:  # not JSON, not ours, not NumPy's
            raise ValueError(
                f"{folder}: index.json or vectors.npy is damaged, or a server's page in its place; "
                "build the index again, or look what the server answers"
            ) from err
        if version != _VERSION:
            raise ValueError(
                f"{folder}: index version {version} is unknown, this twinvec reads "
                f"{_VERSION}; build the index again, or update twinvec"
            )
        texts = check_texts(block["texts"])
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ValueError(
                f"{folder}: {len(texts)} texts but vectors of shape {vectors.shape}; the files are "
                "of different builds: build the index again"
            )
        return cls(texts, vectors.astype(np.float32, copy=False), block["fingerprint"])
