"""The table of dtypes: where each one's weights lie, how they are made, and their parity class."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Parity: TypeAlias = Literal["exact", "approximate"]
Recipe: TypeAlias = Literal["fp32", "weight_only", "w8a8", "q8"]


@dataclass(frozen=True)
class Dtype:
    """The facts of one dtype.

    ::

        >>> dtype_facts("w8").suffix
        '_w8'
    """

    suffix: str
    """Its weights are in `onnx/model<suffix>.onnx`."""
    parity: Parity = "approximate"
    """`exact` where runtimes agree within 5e-7 on unit vectors."""
    recipe: Recipe | None = None
    """How `convert` makes it; None where a model must bring its own file."""
    made_from: str = ""
    """Input of the recipe, for messages."""
    bit_exact: bool = False
    """True where runtimes agree on every bit."""

    @property
    def derived(self) -> bool:
        """True for every dtype that twinvec makes, except fp32."""
        return self.recipe not in (None, "fp32")


DTYPES: Mapping[str, Dtype] = {
    # Differences between CPython and Chromium are the largest of any unit vector's dimension, over
    # 311 texts on all-MiniLM-L6-v2 (x86-64).
    "fp32": Dtype("", "exact", "fp32", "model.safetensors"),  # 2.1e-7
    # Transformers.js's names. Models bring these files; only q8 has been measured.
    "fp16": Dtype("_fp16"),
    "int8": Dtype("_int8"),
    "uint8": Dtype("_uint8"),
    # 2.1e-2: activations are rounded at run time; see `convert.q8`.
    "q8": Dtype("_quantized", "approximate", "q8", "fp32 weights"),
    "q4": Dtype("_q4"),
    "q2": Dtype("_q2"),
    "q1": Dtype("_q1"),
    "q4f16": Dtype("_q4f16"),
    "q2f16": Dtype("_q2f16"),
    "q1f16": Dtype("_q1f16"),
    "bnb4": Dtype("_bnb4"),
    # twinvec's own names. 2.2e-7 and 2.0e-7: stored small, computed in float32.
    "w8": Dtype("_w8", "exact", "weight_only", "fp32 weights"),
    "w16": Dtype("_w16", "exact", "weight_only", "fp32 weights"),
    # 0: only sums of integers, which no order changes; see `convert.w8a8`.
    "w8a8": Dtype(
        "_w8a8", "exact", "w8a8", "the model.safetensors of a BERT encoder", bit_exact=True
    ),
}
"""Every dtype by its name: Transformers.js 4's, and twinvec's own."""


def dtype_facts(dtype: str) -> Dtype:
    """Return a dtype's row of the table.

    Raises:
        ValueError: the dtype is unknown; the message lists the known ones.
    """
    if dtype not in DTYPES:
        raise ValueError(f"unknown dtype {dtype!r}; use one of: {', '.join(DTYPES)}")
    return DTYPES[dtype]


def parity(dtype: str) -> Parity:
    """Return a dtype's parity class.

    Raises:
        ValueError: the dtype is unknown.
    """
    return dtype_facts(dtype).parity


def makeable_dtypes() -> list[str]:
    """List the dtypes that twinvec can make, those of exact parity first."""
    makeable = [dtype for dtype, facts in DTYPES.items() if facts.recipe]
    return sorted(makeable, key=lambda dtype: parity(dtype) != "exact")


def onnx_path(dtype: str) -> str:
    """Return the path of a dtype's ONNX file, relative to a model folder.

    Raises:
        ValueError: the dtype is unknown.
    """
    return f"onnx/model{dtype_facts(dtype).suffix}.onnx"


def weights_parts(dtype: str, paths: Iterable[str]) -> list[str]:
    """Select a dtype's ONNX file and its external data from paths, in this order.

    Transformers.js names external data `<file>_data`, and further parts `<file>_data_1`,
    `<file>_data_2` and so on.

    Raises:
        ValueError: the dtype is unknown.
    """
    part = re.compile(re.escape(onnx_path(dtype)) + r"(_data(_\d+)?)?")
    return sorted(filter(part.fullmatch, paths), key=lambda path: (len(path), path))
