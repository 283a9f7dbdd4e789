"""Arrays as files: a header, dtype, shape or size that does not fit is an error."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from twinvec import IndexFormatError
from twinvec.index.manifest import Shard
from twinvec.index.npy import from_npy, to_npy


def shard_for(content: bytes, rows: int = 2) -> Shard:
    return Shard("codes-0.npy", rows, len(content), "")


def npy(header: str, data: bytes, version: bytes = b"\1\0") -> bytes:
    """Write a file with any header."""
    encoded = header.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(encoded)) + encoded + data


def test_an_array_is_read_without_a_copy() -> None:
    array = np.arange(6, dtype=np.int8).reshape(2, 3)
    content = to_npy(array)
    read = from_npy(shard_for(content), content, "codes", 3)
    assert (read == array).all()
    assert not read.flags.owndata


def test_an_array_of_another_kind_is_an_error() -> None:
    content = to_npy(np.zeros((2, 3), np.int8))
    for kind, dim, data in (("codes", 4, content), ("bits", 24, content), ("codes", 3, b"x" * 99)):
        with pytest.raises(IndexFormatError, match=r"codes-0\.npy (holds|is not a \.npy file)"):
            from_npy(shard_for(data), data, kind, dim)


HEADER = "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3)}"
HOSTILE: dict[str, bytes] = {
    "version 2": npy(HEADER, b"123456", b"\2\0"),
    "version 9": npy(HEADER, b"123456", b"\\9\0"),
    "no header": b"\x93NUMPY\1\0",
    "cut header": npy(HEADER, b"")[:40],
    "nested header": npy("(" * 900, b""),
    "signs": npy("-" * 900 + "1", b""),
    "long header": npy(" " * 60_000 + HEADER, b"123456"),
    "code": npy("__import__('os').abort()", b""),
    "another type": npy("[1]", b""),
    "another dtype": npy(HEADER.replace("|i1", "|O"), b"123456"),
    "no dtype": npy(HEADER.replace("'|i1'", "7"), b"123456"),
    "huge shape": npy(HEADER.replace("(2, 3)", "(2, 10**99)"), b"123456"),
    "negative shape": npy(HEADER.replace("(2, 3)", "(-2, -3)"), b"123456"),
    "Fortran's order": npy(HEADER.replace("False", "True"), b"123456"),
    "too short": npy(HEADER, b"12345"),
    "too long": npy(HEADER, b"1234567"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_an_error(name: str) -> None:
    content = HOSTILE[name]
    with pytest.raises(IndexFormatError, match=r"codes-0\.npy"):
        from_npy(shard_for(content), content, "codes", 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["vectors", "scales"])
def test_numbers_that_are_not_finite_are_an_error(kind: str, value: float) -> None:
    array: Any = np.ones((2, 3) if kind == "vectors" else 2, np.float32)
    array[1] = value
    content = to_npy(array)
    with pytest.raises(IndexFormatError, match="holds numbers that are not finite"):
        from_npy(shard_for(content), content, kind, 3)
