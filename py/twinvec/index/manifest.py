"""`index.json`: the list of an index's files, checked field by field when it is read."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from twinvec.errors import IndexFormatError, IntegrityError
from twinvec.index.format import (
    DAMAGED,
    HEADER_ALIGNMENT,
    MANIFEST,
    MAX_DOCUMENTS,
    MAX_HEADER_BYTES,
    check_dim,
    check_precision,
    parse_json,
    row_bytes,
    vector_kinds,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinvec.index.format import Precision

Content: TypeAlias = bytes  # inside `Shard`, `bytes` is the name of a field

VERSION = 3
VERSION_WITHOUT_DIGEST = 2
"""Earlier version, which is still read."""

MAX_MANIFEST_BYTES = 1 << 26
MAX_SHARD_BYTES = 1 << 53  # the whole numbers of JavaScript
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DOCUMENT_KINDS = ("documents", "lines", "ids", "texts")
_TERM_KINDS = ("lengths", "terms", "postings")


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
        self.check_size(len(content))
        actual = hashlib.sha256(content).hexdigest()
        if actual != self.sha256:
            raise IntegrityError(self.file, self.sha256, actual, DAMAGED)

    def check_size(self, size: int) -> None:
        """Check the size of the file, in bytes.

        Raises:
            IntegrityError: it differs.
        """
        if size != self.bytes:
            raise IntegrityError(self.file, f"{self.bytes} bytes", f"{size} bytes", DAMAGED)


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

    @property
    def files(self) -> list[Shard]:
        """All shards; a file is listed once for each of its places."""
        return [shard for group in self.shards.values() for shard in group]

    def to_json(self) -> bytes:
        """Write as JSON, in ASCII, with a digest of the rest."""
        shards = {kind: list(map(asdict, group)) for kind, group in self.shards.items()}
        # Read back, so that the digest is of what a reader sees: a tuple becomes a list.
        values = json.loads(json.dumps({"version": VERSION, **vars(self), "shards": shards}))
        return json.dumps({**values, "sha256": _digest(values)}, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read and check `index.json`.

        Raises:
            IndexFormatError: it has another version, or is damaged; the message describes how.
        """
        try:
            values = parse_json(content)
            version = values["version"]
        except (ValueError, KeyError, TypeError) as err:
            raise IndexFormatError(
                f"{MANIFEST} is damaged, or the server sent another page in its place. {DAMAGED}"
            ) from err
        if type(version) is not int or version not in (VERSION_WITHOUT_DIGEST, VERSION):
            raise IndexFormatError(
                f"index version {version!r:.40} is not supported, this twinvec reads versions "
                f"{VERSION_WITHOUT_DIGEST} and {VERSION}. Build the index again, or update twinvec."
            )
        try:
            return _read(values)
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise IndexFormatError(f"{MANIFEST} is damaged ({err}). {DAMAGED}") from err


def _digest(values: Mapping[str, Any]) -> str:
    """Hash the fields of `index.json` other than its own digest."""
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(values: dict[str, Any]) -> Manifest:
    """Check all fields; `from_json` turns a ValueError into its message."""
    if values["version"] == VERSION and values.pop("sha256") != _digest(values):
        raise ValueError("its fields do not match its own sha256")
    if "sha256" in values:  # a damaged version number must not turn the comparison off
        raise ValueError(f"version {VERSION_WITHOUT_DIGEST} has no sha256")
    fingerprint = values["fingerprint"]
    if not isinstance(fingerprint, dict):
        raise TypeError("its fingerprint is not an object")
    precision, dim = check_precision(values["precision"]), check_dim(values["dim"])
    count = _number(values, "count", MAX_DOCUMENTS)
    shards = {
        kind: [_shard(kind, dim, shard) for shard in group]
        for kind, group in values["shards"].items()
    }
    _check_kinds(shards, precision, count)
    return Manifest(fingerprint, precision, dim, count, shards)


def _shard(kind: str, dim: int, values: Any) -> Shard:
    """Check an entry of `shards`."""
    shard = Shard(**values)
    suffix = "jsonl" if kind == "documents" else "npy"
    if not (isinstance(shard.sha256, str) and _SHA256.fullmatch(shard.sha256)):
        raise ValueError(f"a sha256 in {kind} is not 64 hexadecimal digits")
    if shard.file != f"{kind}-{shard.sha256[:16]}.{suffix}":
        raise ValueError(f"it lists a file {shard.file!r:.80} in {kind}")
    _number(values, "rows", MAX_SHARD_BYTES)
    _number(values, "bytes", MAX_SHARD_BYTES)
    if kind == "documents":
        fits = shard.rows <= shard.bytes
    else:
        header = shard.bytes - shard.rows * row_bytes(kind, dim)
        fits = 0 < header <= MAX_HEADER_BYTES and header % HEADER_ALIGNMENT == 0
    if not fits:
        raise ValueError(f"{shard.file} cannot have {shard.rows} rows in {shard.bytes} bytes")
    return shard


def _number(values: Mapping[str, Any], field: str, maximum: int) -> int:
    number = values[field]
    if type(number) is not int or not 0 <= number <= maximum:  # a bool is an int too
        raise ValueError(f"{field} is {number!r:.40}, not a whole number up to {maximum}")
    return number


def _check_kinds(shards: Mapping[str, list[Shard]], precision: Precision, count: int) -> None:
    """Check that exactly the kinds of a precision are listed, each with all its rows."""
    by_document = [*vector_kinds(precision), *_DOCUMENT_KINDS]
    expected = {*by_document, *(_TERM_KINDS if shards.keys() & set(_TERM_KINDS) else ())}
    if shards.keys() != expected:
        different = sorted(shards.keys() ^ expected)
        raise ValueError(f"kinds are missing or unknown: {', '.join(different):.80}")
    for kind in shards.keys() & {*by_document, "lengths"}:
        rows = sum(shard.rows for shard in shards[kind])
        if rows != count:
            raise ValueError(f"{kind} has {rows} rows of {count}")
    if len(shards.get("terms", [])) != len(shards.get("postings", [])):
        raise ValueError("terms and postings differ in their number of shards")
