"""A small index that the tests of `twinvec.index` write, and how they look at its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from twinvec import Document, Index, IndexWriter, IntegrityError, TwinvecError, normalize
from twinvec.index.writing.shards import Limits

FINGERPRINT = {"model": "some/model", "pooling": "mean"}
PRECISIONS = ["float32", "int8", "binary"]
DIM = 70
TEXTS = ["the first text", "a second text, the last but two", "\ud800 third", "one", "one more"]
SMALL = Limits(array_bytes=64, documents_bytes=100, shard_postings=3, sorted_terms=4)
"""Makes several shards of every kind."""


def unit_vectors(count: int, dim: int = DIM, seed: int = 1) -> Any:
    """Draw vectors of unit length, float32 [count, dim]."""
    draw = np.random.default_rng(seed)
    return normalize(draw.standard_normal((count, dim)).astype(np.float32))


def small_index(precision: Any = "float32", **options: Any) -> Index:
    """Make an index of `TEXTS` in memory."""
    index = Index(FINGERPRINT, dim=DIM, precision=precision, **options)
    index.add_vectors(TEXTS, unit_vectors(5), metadata=[{"n": n} for n in range(5)])
    return index


def write_small_shards(folder: Path, precision: Any = "float32", prefix: str = "") -> None:
    """Write an index of `TEXTS` in several shards of every kind."""
    options: Any = {"precision": precision, "dim": DIM, "limits": SMALL}
    with IndexWriter(folder, FINGERPRINT, **options) as writer:
        documents = [Document(f"{prefix}{n}", text, {"n": n}) for n, text in enumerate(TEXTS)]
        writer.add(documents, unit_vectors(5))


def results(index: Index) -> list[Any]:
    """Search with some vectors and texts."""
    hits: list[Any] = [index.search_vector(vector, k=3) for vector in unit_vectors(5)]
    if index.lexical:
        hits += [index.search(query, mode="lexical") for query in ("text one", "third")]
    return hits


def content(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def shard_of(folder: Path, kind: str) -> Path:
    """Find the only shard of a kind."""
    (file,) = folder.glob(f"{kind}-*")
    return file


def listed(folder: Path) -> set[str]:
    """Name the files that `index.json` lists, and itself."""
    shards = json.loads((folder / "index.json").read_bytes())["shards"].values()
    return {shard["file"] for group in shards for shard in group} | {"index.json"}


def signed(values: Mapping[str, Any]) -> bytes:
    """Write the fields of an `index.json`, with the digest that belongs to them."""
    rest = {key: value for key, value in values.items() if key != "sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return json.dumps({**rest, "sha256": hashlib.sha256(canonical.encode()).hexdigest()}).encode()


def change_manifest(folder: Path, **fields: Any) -> None:
    """Change fields of `index.json`, and its digest with them."""
    file = folder / "index.json"
    file.write_bytes(signed({**json.loads(file.read_bytes()), **fields}))


def flip_bit(file: Path) -> None:
    """Change one bit of a file's content."""
    changed = bytearray(file.read_bytes())
    changed[-1 if file.suffix == ".npy" else len(changed) // 2] ^= 1
    file.write_bytes(changed)


KINDS = ["codes", "scales", "documents", "lines", "ids", "lengths", "terms", "postings"]
"""Of shards, in an index of precision int8."""
DAMAGE: dict[str, tuple[Callable[[Path], Any], type[TwinvecError]]] = {
    "flipped": (flip_bit, IntegrityError),
    "missing": (Path.unlink, TwinvecError),
    "page": (lambda file: file.write_text("<!doctype html><title>404</title>"), IntegrityError),
    "empty": (lambda file: file.write_bytes(b""), IntegrityError),
    "shortened": (lambda file: file.write_bytes(file.read_bytes()[:-2]), IntegrityError),
}
"""Ways to damage a file, and the error for each."""


def use_all(location: Path | str) -> None:
    """Read every file of an index."""
    loaded = Index.load(location)
    loaded.search(" ".join(TEXTS), mode="lexical")
    loaded.documents()
    loaded.remove(["1"])
