r"""The format of an index: a folder of standard files.

`index.json` lists all other files, and is written last::

    {"version": 2, "precision": "int8", "count": 3, "dim": 384, "fingerprint": {...},
     "shards": {"codes": [{"file": "codes-0f…3a.npy", "rows": 3, "bytes": 1280, "sha256": "…"}]}}

The name of a shard contains the first 16 digits of its SHA-256. A file never changes under its
name, so caches are never outdated. The shards of one kind are consecutive parts of one array:

=========  ============================  =======================================================
kind       array                         content
=========  ============================  =======================================================
vectors    float32 [count, dim]          with precision float32: vectors of unit length
codes      int8 [count, dim]             with precision int8: `vector = code * scale`
scales     float32 [count]               with precision int8
bits       uint8 [count, ceil(dim / 8)]  with precision binary: 1 for each value above zero, packed
                                         as by `np.packbits`
documents  JSON Lines, ASCII             one document a line:
                                         `{"id": "…", "text": "…", "metadata": {}}`
lines      uint64 [count, 2]             offset of each line in its shard, digest of the line
ids        uint64 [count]                digest of each id
texts      uint64 [count, 2]             wide digest of each text
lengths    uint32 [count]                number of terms in each text
terms      uint64 [terms, 3]             digest of each term, row of its first posting in the shard
                                         with the same number, digest of its postings' bytes
postings   (uint32, uint16) [postings]   row of a document that has the term, number of times that
                                         it occurs there (65,535 at most)
=========  ============================  =======================================================

A digest is the first 8 bytes of a SHA-256 as a little-endian number; a wide digest is the first 16
bytes, as two numbers. Text is encoded as UTF-8 first, with lone surrogates kept. The newline is not
part of a line's digest.

A term is a match of the regular expression `\w+` in the text, after Unicode's normal form C and
case folding. `terms` is sorted by digest through all its shards, the postings of a term by
document. An index built without `lexical` has no `lengths`, `terms` and `postings`.

Digests replace ids and terms, because a million Python strings take 100 MB in a visitor's tab, and
a sorted array of numbers can be searched directly. The probability that any two of a million terms
have the same digest is below 1e-7.

The large kinds, `documents` and `postings`, are read by byte range, a few lines or terms at a time.
Each range is verified with its own digest, a whole shard with its SHA-256.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

import numpy as np

from twinvec.errors import IndexFormatError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike, NDArray

VERSION = 2
MANIFEST = "index.json"
OWN_NAME = re.compile(r"[a-z]+-[0-9a-f]{16}\.(npy|jsonl)")
"""Names of an index's files other than `index.json`."""

DAMAGED = "Copy or upload the complete index folder again, or build the index again."

Precision = Literal["float32", "int8", "binary"]
Array: TypeAlias = "NDArray[Any]"
Content: TypeAlias = bytes  # inside `Shard`, `bytes` is the name of a field

POSTING = np.dtype([("document", "<u4"), ("count", "<u2")])
_TABLES: dict[str, tuple[DTypeLike, tuple[int, ...]]] = {
    "scales": ("<f4", ()),
    "lines": ("<u8", (2,)),
    "ids": ("<u8", ()),
    "texts": ("<u8", (2,)),
    "lengths": ("<u4", ()),
    "terms": ("<u8", (3,)),
    "postings": (POSTING, ()),
}
_VECTOR_KINDS = {"float32": ("vectors",), "int8": ("codes", "scales"), "binary": ("bits",)}


def check_precision(name: str) -> Precision:
    """Check the name of a precision.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in get_args(Precision):
        raise ValueError(
            f"unknown precision {name!r}; use one of: {', '.join(get_args(Precision))}"
        )
    return cast("Precision", name)


def precision_for(count: int) -> Precision:
    """Choose a precision by the number of documents: float32 up to 5,000, int8 above.

    5,000 vectors of 384 dimensions are 7.7 MB, about the size of the runtime that a visitor
    downloads.
    """
    return "float32" if count <= 5_000 else "int8"


def vector_kinds(precision: Precision) -> tuple[str, ...]:
    """Return the kinds of shards that hold vectors."""
    return _VECTOR_KINDS[precision]


def columns(kind: str, dim: int) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the dtype and the row shape of a kind of array; `documents` is not an array."""
    vectors: dict[str, tuple[DTypeLike, tuple[int, ...]]] = {
        "vectors": ("<f4", (dim,)),
        "codes": ("i1", (dim,)),
        "bits": ("u1", (-(-dim // 8),)),
    }
    dtype, shape = (vectors | _TABLES)[kind]
    return np.dtype(dtype), shape


def row_bytes(kind: str, dim: int) -> int:
    """Compute the size of one row in bytes."""
    dtype, shape = columns(kind, dim)
    return dtype.itemsize * int(np.prod(shape, dtype=int))


def digest(content: bytes) -> int:
    """Compute a digest: the first 64 bits of the SHA-256."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "little")


def text_digest(text: str) -> int:
    """Compute the digest of an id or a term."""
    return digest(text.encode("utf-8", "surrogatepass"))


def wide_digest(text: str) -> bytes:
    """Compute the wide digest of a document's text: 16 bytes of the SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def check_digest(file: str, content: bytes, expected: int) -> None:
    """Check bytes read from a file against their recorded digest.

    Raises:
        IntegrityError: the digest differs.
    """
    actual = digest(content)
    if actual != expected:
        part = f"{file}, a range of {len(content)} bytes"
        raise IntegrityError(part, f"{expected:016x}", f"{actual:016x}", DAMAGED)


@dataclass(frozen=True)
class Shard:
    """One file of an index, as `index.json` lists it."""

    file: str
    rows: int
    bytes: int
    sha256: str

    def check(self, content: Content) -> None:
        """Check the whole content of the file.

        Raises:
            IntegrityError: the size or the hash differs.
        """
        if len(content) != self.bytes:
            sizes = f"{self.bytes} bytes", f"{len(content)} bytes"
            raise IntegrityError(self.file, *sizes, DAMAGED)
        actual = hashlib.sha256(content).hexdigest()
        if actual != self.sha256:
            raise IntegrityError(self.file, self.sha256, actual, DAMAGED)


@dataclass(frozen=True)
class Manifest:
    """The content of `index.json`."""

    fingerprint: dict[str, Any]
    precision: Precision
    dim: int
    count: int
    shards: Mapping[str, list[Shard]]

    @property
    def lexical(self) -> bool:
        """True if the index has terms and postings."""
        return "lengths" in self.shards

    def to_json(self) -> bytes:
        """Write as JSON, in ASCII."""
        shards = {kind: list(map(asdict, group)) for kind, group in self.shards.items()}
        return json.dumps({"version": VERSION, **vars(self), "shards": shards}, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read and check `index.json`.

        Raises:
            IndexFormatError: it has another version, or is damaged; the message describes how.
        """
        try:
            values = json.loads(content)
            version = values["version"]
        except (ValueError, KeyError, TypeError) as err:
            raise IndexFormatError(
                f"{MANIFEST} is damaged, or the server sent another page in its place. {DAMAGED}"
            ) from err
        if version != VERSION:
            raise IndexFormatError(
                f"index version {version} is not supported, this twinvec reads version {VERSION}. "
                "Build the index again, or update twinvec."
            )
        try:
            manifest = cls(
                dict(values["fingerprint"]),
                check_precision(values["precision"]),
                int(values["dim"]),
                int(values["count"]),
                {
                    kind: [Shard(**shard) for shard in group]
                    for kind, group in values["shards"].items()
                },
            )
            manifest._check()
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise IndexFormatError(f"{MANIFEST} is damaged ({err}). {DAMAGED}") from err
        return manifest

    def _check(self) -> None:
        """Check that all kinds are complete; `from_json` turns a ValueError into its message."""
        kinds = [*vector_kinds(self.precision), "documents", "lines", "ids", "texts"]
        if self.lexical:
            kinds.append("lengths")
        for kind in kinds:
            rows = sum(shard.rows for shard in self.shards[kind])
            if rows != self.count:
                raise ValueError(f"{kind} has {rows} rows of {self.count}")
        if self.lexical and len(self.shards["terms"]) != len(self.shards["postings"]):
            raise ValueError("terms and postings differ in their number of shards")
        for shard in (shard for group in self.shards.values() for shard in group):
            if not OWN_NAME.fullmatch(shard.file) or shard.rows < 0:
                raise ValueError(f"it lists a file {shard.file}")


def to_npy(array: Array) -> bytes:
    """Write an array as a `.npy` file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def from_npy(shard: Shard, content: bytes, kind: str, dim: int) -> Array:
    """Read a `.npy` file without copying it.

    Raises:
        IndexFormatError: its dtype or shape is not that of the kind.
    """
    dtype, shape = columns(kind, dim)
    expected = (shard.rows, *shape)
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        stored_shape, transposed, stored_dtype = np.lib.format.read_array_header_1_0(stream)
    except ValueError as err:
        raise IndexFormatError(f"{shard.file} is not a .npy file. {DAMAGED}") from err
    if version != (1, 0) or transposed or (stored_shape, stored_dtype) != (expected, dtype):
        raise IndexFormatError(
            f"{shard.file} holds {stored_dtype} {list(stored_shape)}, not {dtype} "
            f"{list(expected)}. {DAMAGED}"
        )
    return np.frombuffer(content, dtype, offset=stream.tell()).reshape(expected)
