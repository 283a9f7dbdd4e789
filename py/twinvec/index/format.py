r"""The format of an index: a folder of standard files.

`index.json` lists all other files, and is written last::

    {"version": 3, "precision": "int8", "count": 3, "dim": 384, "fingerprint": {...},
     "shards": {"codes": [{"file": "codes-0f…3a.npy", "rows": 3, "bytes": 1280, "sha256": "…"}]},
     "sha256": "…"}

Its own `sha256` is that of all other fields, as JSON with sorted keys, without spaces, in ASCII.
Version 2, which is still read, has none. All kinds that the precision needs are listed, and no
others.

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
import json
import re
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np

from twinvec.errors import IntegrityError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

MANIFEST = "index.json"
OWN_NAME = re.compile(r"[a-z]+-[0-9a-f]{16}\.(npy|jsonl)")
"""Names of an index's files other than `index.json`."""

MAX_DIM = 1 << 15
MAX_DOCUMENTS = (1 << 32) - 1  # a posting names its document by 32 bits
HEADER_ALIGNMENT = 64  # of a `.npy` file: its header has a multiple of so many bytes
MAX_HEADER_BYTES = 1024  # NumPy writes 128
MAX_NESTING = 100  # of JSON: a document nested much deeper ends Python in a page

DAMAGED = "Copy or upload the complete index folder again, or build the index again."

Precision = Literal["float32", "int8", "binary"]

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


def check_dim(dim: int) -> int:
    """Check the length of a vector.

    Raises:
        ValueError: it is not a whole number from 1 to `MAX_DIM`.
    """
    if type(dim) is not int or not 1 <= dim <= MAX_DIM:
        raise ValueError(f"dim must be a whole number from 1 to {MAX_DIM}, not {dim!r:.40}")
    return dim


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


def parse_json(content: bytes) -> Any:
    """Read JSON in UTF-8.

    Raises:
        ValueError: it is damaged, holds NaN or infinity, or is nested deeper than `MAX_NESTING`.
    """
    text = content.decode()
    check_nesting(text)
    return _DECODER.decode(text)


def check_nesting(text: str) -> None:
    """Check how deep JSON is nested, without recursion.

    Raises:
        ValueError: deeper than `MAX_NESTING`.
    """
    if text.count("[") + text.count("{") > MAX_NESTING:
        depth = 0
        for bracket in _BRACKET.findall(_STRING.sub("", text)):
            depth += 1 if bracket in "[{" else -1
            if depth > MAX_NESTING:
                raise ValueError(f"nested deeper than {MAX_NESTING} levels")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is not JSON")


_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[][{}]")
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
