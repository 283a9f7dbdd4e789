"""Arrays as `.npy` files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from twinvec.errors import IndexFormatError
from twinvec.index.format import DAMAGED, MAX_HEADER_BYTES, columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twinvec.index.manifest import Shard

    Array: TypeAlias = NDArray[Any]

_MAGIC = b"\x93NUMPY\x01\x00"


def to_npy(array: Array) -> bytes:
    """Write an array as a `.npy` file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def from_npy(shard: Shard, content: bytes, kind: str, dim: int) -> Array:
    """Read a `.npy` file without copying it.

    Raises:
        IndexFormatError: its dtype, shape or size is not that of the kind, or a vector is not
            finite.
    """
    dtype, shape = columns(kind, dim)
    expected = (shard.rows, *shape)
    stream = io.BytesIO(content)
    header_bytes = len(_MAGIC) + 2 + int.from_bytes(content[8:10], "little")
    if not content.startswith(_MAGIC) or header_bytes > MAX_HEADER_BYTES:
        raise IndexFormatError(f"{shard.file} is not a .npy file of version 1.0. {DAMAGED}")
    try:
        np.lib.format.read_magic(stream)
        stored_shape, transposed, stored_dtype = np.lib.format.read_array_header_1_0(stream)
    except Exception as err:  # NumPy evaluates the header as Python, which raises many kinds
        raise IndexFormatError(f"{shard.file} is not a .npy file ({err}). {DAMAGED}") from err
    if transposed or (stored_shape, stored_dtype) != (expected, dtype):
        raise IndexFormatError(
            f"{shard.file} holds {stored_dtype} {list(stored_shape)}, not {dtype} "
            f"{list(expected)}. {DAMAGED}"
        )
    count = int(np.prod(expected, dtype=int))
    if len(content) != stream.tell() + count * dtype.itemsize:
        raise IndexFormatError(f"{shard.file} has {len(content)} bytes, too few or many. {DAMAGED}")
    array = np.frombuffer(content, dtype, offset=stream.tell()).reshape(expected)
    _check_finite(shard, array)
    return array


def check_starts(file: str, starts: Array, size: int) -> None:
    """Check where the parts of a file start: the first at 0, each after the one before.

    Args:
        file: name for the message.
        starts: uint64 [n].
        size: of the file, in the unit of `starts`.

    Raises:
        IndexFormatError: they do not ascend, or exceed the file.
    """
    if not len(starts):
        return
    if starts[0] != 0 or starts[-1] >= size or not (starts[1:] > starts[:-1]).all():
        raise IndexFormatError(f"the parts of {file} do not follow each other. {DAMAGED}")


def _check_finite(shard: Shard, array: Array) -> None:
    """Check vectors and scales: the search compares their scores, which NaN has none."""
    if array.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.add.reduce(array, axis=None)  # one pass, without an array of booleans
        if not np.isfinite(total):
            raise IndexFormatError(f"{shard.file} holds numbers that are not finite. {DAMAGED}")
