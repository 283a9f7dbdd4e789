"""Which weights a model may come in, where they lie, and what each promises."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DERIVED",
    "DTYPES",
    "EXACT",
    "check_dtype",
    "onnx_path",
    "parity",
    "weights_parts",
]

DTYPES = {
    "fp32": "",
    "fp16": "_fp16",
    "int8": "_int8",
    "uint8": "_uint8",
    "q8": "_quantized",
    "q4": "_q4",
    "q2": "_q2",
    "q1": "_q1",
    "q4f16": "_q4f16",
    "q2f16": "_q2f16",
    "q1f16": "_q1f16",
    "bnb4": "_bnb4",
    "w8": "_w8",
    "w16": "_w16",
    "w8a8": "_w8a8",
}
"""dtype -> suffix of `onnx/model<suffix>.onnx`: Transformers.js 4's, and those of `DERIVED`."""

DERIVED = ("w8", "w16", "w8a8", "q8")
"""Those that twinvec makes of fp32 weights; see `variants`, `fixed_point` and `dynamic`."""

EXACT = ("fp32", "w8", "w16", "w8a8")
"""Those on which runtimes agree to 5e-7 on unit vectors: w8a8 computes exactly, the others in
float32. Of the rest only q8 was measured, which does not come near; see `dynamic`."""


def check_dtype(dtype: str) -> None:
    """Raise `ValueError` for a dtype that is not one of `DTYPES`."""
    if dtype not in DTYPES:
        raise ValueError(f"unknown dtype {dtype!r}; use one of: {', '.join(DTYPES)}")


def parity(dtype: str) -> Literal["exact", "approximate"]:
    """Tell a dtype's parity class; see `EXACT`."""
    return "exact" if dtype in EXACT else "approximate"


def onnx_path(dtype: str) -> str:
    """Name the weights of a dtype, relative to a model's folder, there or not."""
    return f"onnx/model{DTYPES[dtype]}.onnx"


def weights_parts(weights: str, paths: Iterable[str]) -> list[str]:
    """Choose an ONNX file and its external data among paths, in this order.

    Transformers.js names external data `<weights>_data`, and more of it `<weights>_data_1`,
    `<weights>_data_2` and so on.
    """
    part = re.compile(re.escape(weights) + r"(_data(_\d+)?)?")
    return sorted(filter(part.fullmatch, paths), key=lambda path: (len(path), path))
