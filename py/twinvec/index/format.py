r"""The format of an index: a folder of standard files.

`index.json` names everything else, and is written last::

    {"version": 2, "precision": "int8", "count": 3, "dim": 384, "fingerprint": {...},
     "shards": {"codes": [{"file": "codes-0f…3a.npy", "rows": 3, "bytes": 1280, "sha256": "…"}]}}

A shard is named by the first 16 digits of its SHA-256, so a file never changes under its name, and
caches need not be told. The shards of one kind are the parts of one array, in order:

=========  ==============================  =======================================================
kind       array                           holds
=========  ==============================  =======================================================
vectors    float32 [count, dim]            precision float32: the vectors, of unit length
codes      int8 [count, dim]               precision int8: `vector = code * scale`
scales     float32 [count]                 precision int8
bits       uint8 [count, ceil(dim / 8)]    precision binary: 1 where above zero (`np.packbits`)
documents  JSON Lines, ASCII               a line each: `{"id": "…", "text": "…", "metadata": {}}`
lines      uint64 [count, 2]               where a line begins in its shard, digest of the line
ids        uint64 [count]                  digest of the id
texts      uint64 [count, 2]               digest of the text that was embedded
lengths    uint32 [count]                  how many terms the text has
terms      uint64 [terms, 3]               digest of the term, its first posting in the shard of
                                           the same number, digest of its postings' bytes
postings   (uint32, uint16) [postings]     document, and how often it has the term
=========  ==============================  =======================================================

A digest is the first 8 bytes of a SHA-256, little-endian (of `texts` the first 16, as two numbers);
text is UTF-8 there, lone surrogates as they are. Lines are digested without their newline. A term
is a match of the regular expression `\w+` in the text in Unicode's normal form C, case-folded.
`terms` ascends by digest over all its shards; a term's postings ascend by document. `lengths`,
`terms` and `postings` are missing where the index was built without `lexical`.

Digests stand for ids and terms because a million Python strings are 100 MB in a visitor's tab, and
a sorted array of numbers is searched as it is. Two of a million differing terms share one with a
probability below 1e-7.

The large ones (`documents`, `postings`) are read by byte range, a few lines of them; what is read
so is checked by its own digest, a whole shard by its SHA-256.
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

__all__ = [
    "DAMAGED",
    "MANIFEST",
    "OWN_NAME",
    "POSTING",
    "Manifest",
    "Precision",
    "Shard",
    "check_digest",
    "check_precision",
    "columns",
    "digest",
    "from_npy",
    "precision_for",
    "row_bytes",
    "to_npy",
    "vector_kinds",
    "wide_digest",
]

VERSION = 2
MANIFEST = "index.json"
OWN_NAME = re.compile(r"[a-z]+-[0-9a-f]{16}\.(npy|jsonl)")
"""What the files of an index are called, but for `index.json`."""

DAMAGED = "Copy or upload the index's folder again, all of it, or build the index again."

Precision = Literal["float32", "int8", "binary"]
Array: TypeAlias = "NDArray[Any]"
Content: TypeAlias = bytes  # a field of `Shard` is called `bytes`

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
_LEXICAL = ("lengths", "terms", "postings")


def check_precision(name: str) -> Precision:
    """Check a precision's name.

    Raises:
        ValueError: it is not one of `float32`, `int8`, `binary`.
    """
    if name not in get_args(Precision):
        raise ValueError(
            f"unknown precision {name!r}; use one of: {', '.join(get_args(Precision))}"
        )
    return cast("Precision", name)


def precision_for(count: int) -> Precision:
    """Choose for so many documents: float32 up to 5,000, above that int8.

    5,000 of 384 dims are 7.7 MB, about as much as the runtime that a visitor downloads.
    """
    return "float32" if count <= 5_000 else "int8"


def vector_kinds(precision: Precision) -> tuple[str, ...]:
    """Name the kinds of shards that hold the vectors."""
    return _VECTOR_KINDS[precision]


def columns(kind: str, dim: int) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Give the dtype and the shape of one row of a kind, `documents` excepted."""
    vectors: dict[str, tuple[DTypeLike, tuple[int, ...]]] = {
        "vectors": ("<f4", (dim,)),
        "codes": ("i1", (dim,)),
        "bits": ("u1", (-(-dim // 8),)),
    }
    dtype, shape = (vectors | _TABLES)[kind]
    return np.dtype(dtype), shape


def row_bytes(kind: str, dim: int) -> int:
    """Count the bytes of one row."""
    dtype, shape = columns(kind, dim)
    return dtype.itemsize * int(np.prod(shape, dtype=int))


def digest(content: bytes) -> int:
    """Shorten a SHA-256 to 64 bits."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "little")


def check_digest(file: str, content: bytes, expected: int) -> None:
    """Compare what was read of a file with the digest that is kept of it.

    Raises:
        IntegrityError: they differ.
    """
    found = digest(content)
    if found != expected:
        what = f"{file}, {len(content)} bytes of it"
        raise IntegrityError(what, f"{expected:016x}", f"{found:016x}", DAMAGED)


def wide_digest(text: str) -> bytes:
    """Shorten the SHA-256 of a text to 16 bytes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


@dataclass(frozen=True)
class Shard:
    """One file of an index: what `index.json` says of it."""

    file: str
    rows: int
    bytes: int
    sha256: str

    def check(self, content: Content) -> None:
        """Compare the file's content with what is listed.

        Raises:
            IntegrityError: its size or its hash is another.
        """
        if len(content) != self.bytes:
            sizes = f"{self.bytes} bytes", f"{len(content)} bytes"
            raise IntegrityError(self.file, *sizes, DAMAGED)
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise IntegrityError(self.file, self.sha256, found, DAMAGED)


@dataclass(frozen=True)
class Manifest:
    """`index.json`."""

    fingerprint: dict[str, Any]
    precision: Precision
    dim: int
    count: int
    shards: Mapping[str, list[Shard]]

    @property
    def lexical(self) -> bool:
        """Whether there are terms and postings."""
        return "lengths" in self.shards

    def to_json(self) -> bytes:
        """Write it; ASCII."""
        shards = {kind: [asdict(shard) for shard in some] for kind, some in self.shards.items()}
        return json.dumps({"version": VERSION, **vars(self), "shards": shards}, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read and check it.

        Raises:
            IndexFormatError: the version is another, or it is damaged; the message says which.
        """
        try:
            block = json.loads(content)
            version = block["version"]
        except (ValueError, KeyError, TypeError) as err:
            raise IndexFormatError(
                f"{MANIFEST} is damaged, or a server's page in its place. {DAMAGED}"
            ) from err
        if version != VERSION:
            raise IndexFormatError(
                f"index version {version} is unknown, this twinvec reads {VERSION}. Build the "
                "index again, or update twinvec."
            )
        try:
            manifest = cls(
                dict(block["fingerprint"]),
                check_precision(block["precision"]),
                int(block["dim"]),
                int(block["count"]),
                {
                    kind: [Shard(**shard) for shard in some]
                    for kind, some in block["shards"].items()
                },
            )
            manifest._check()
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise IndexFormatError(f"{MANIFEST} is damaged ({err}). {DAMAGED}") from err
        return manifest

    def _check(self) -> None:
        """Check that every row of every kind is there; what is raised becomes a message."""
        kinds = (*vector_kinds(self.precision), "documents", "lines", "ids", "texts")
        for kind in (*kinds, *(_LEXICAL[:1] if self.lexical else ())):
            rows = sum(shard.rows for shard in self.shards[kind])
            if rows != self.count:
                raise ValueError(f"{kind} has {rows} rows of {self.count}")
        if self.lexical and len(self.shards["terms"]) != len(self.shards["postings"]):
            raise ValueError("terms and postings have not the same number of shards")
        for shard in (shard for some in self.shards.values() for shard in some):
            if not OWN_NAME.fullmatch(shard.file) or shard.rows < 0:
                raise ValueError(f"it names a file {shard.file}")


def to_npy(array: Array) -> bytes:
    """Write an array as a `.npy` file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def from_npy(shard: Shard, content: bytes, kind: str, dim: int) -> Array:
    """Read a `.npy` file without copying it.

    Raises:
        IndexFormatError: it is not the array that this kind of shard holds.
    """
    dtype, shape = columns(kind, dim)
    expected = (shard.rows, *shape)
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        found, transposed, stored = np.lib.format.read_array_header_1_0(stream)
    except ValueError as err:
        raise IndexFormatError(f"{shard.file} is not a .npy file. {DAMAGED}") from err
    if version != (1, 0) or transposed or (found, stored) != (expected, dtype):
        raise IndexFormatError(
            f"{shard.file} holds {stored} {list(found)}, not {dtype} {list(expected)}. {DAMAGED}"
        )
    return np.frombuffer(content, dtype, offset=stream.tell()).reshape(expected)
