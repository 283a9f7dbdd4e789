"""The facts of a model folder.

A model folder has the Transformers.js layout: `config.json`, `tokenizer.json`,
`tokenizer_config.json` and `onnx/model<suffix>.onnx`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twinvec.download import sha256_of
from twinvec.encoding.pooling import Pooling, pooling_mode
from twinvec.errors import ModelError, ModelNotFoundError, UnsupportedModelError
from twinvec.model.dtypes import DTYPES, dtype_facts, onnx_path, weights_parts
from twinvec.model.facts import Facts, missing_file, read_text
from twinvec.model.reference import check_block

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHA256SUMS = "SHA256SUMS"
"""File in which `convert` records the hashes of a model folder's other files."""

_HASH_LINE = re.compile(r"([0-9a-f]{64}) [ *](?:\./)?(.+)")

REFERENCE_FILE = "probes.json"
"""File in which `convert` records reference vectors; see `model.reference`."""

_SENTENCE_BERT = "sentence_bert_config.json"
_POOLING = "1_Pooling/config.json"
_PROMPTS = "config_sentence_transformers.json"

CONFIG_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")
"""Files that every model has."""

OPTIONAL_FILES = ("special_tokens_map.json", _SENTENCE_BERT, _POOLING, _PROMPTS)
"""Files that a model may have; all of them are small."""

_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Model types whose positions are numbered from the padding id + 1."""

_NO_LIMIT_TOKENS = 1_000_000  # tokenizer_config.json writes "no limit" as 10^30
_DEFAULT_MAX_TOKENS = 512

MAX_DIM = 1 << 16
"""Largest length of a vector."""

_POOLING_MODES = {
    "pooling_mode_mean": "mean",
    "pooling_mode_cls": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last_token",
}
"""Key of sentence-transformers' pooling configuration -> pooling."""


@dataclass(frozen=True)
class ModelInfo:
    """The facts that both runtimes need of a model; a site has them in `models/manifest.json`.

    ::

        >>> info = ModelInfo.from_folder(Path("my-model"), "fp32")
        >>> info.dim, info.max_length, info.pooling
        (384, 256, 'mean')
    """

    name: str
    revision: str | None
    dim: int
    max_length: int
    """Tokens that a text may have, special ones included."""
    pooling: Pooling
    query_prompt: str
    """Text that the model expects before a search query; "" for none."""
    document_prompt: str
    """Text that the model expects before a document; "" for none."""
    weights: dict[str, str]
    """dtype -> path of its ONNX file, relative to the model folder; see `weights_parts`."""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """path -> {"bytes": size, "sha256": hash}."""
    references: dict[str, Any] = field(default_factory=dict)
    """dtype -> reference vectors for the self-check; see `model.reference`. In JSON `probes`."""

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> ModelInfo:
        """Read an entry that `to_json` wrote."""
        facts = dict(entry)
        references = facts.pop("probes", {})
        return cls(**facts, references=references)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        entry = asdict(self)
        entry["probes"] = entry.pop("references")
        return entry

    def weights_sha256(self, dtype: str) -> str:
        """Hash a dtype's weights; lower-case hexadecimal.

        The hash is the ONNX file's SHA-256. With external data it is the SHA-256 of all parts'
        hexadecimal digests, joined in the order of `weights_parts`.

        Raises:
            ValueError: the dtype is unknown.
            ModelNotFoundError: these facts were read with another dtype.
        """
        parts = weights_parts(dtype, self.files)
        if not parts:
            raise ModelNotFoundError(
                f"{self.name} was opened with dtype {', '.join(self.weights)}, not {dtype}"
            )
        digests: list[str] = [self.files[part]["sha256"] for part in parts]
        return digests[0] if len(digests) == 1 else sha256("".join(digests).encode()).hexdigest()

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        dtype: str,
        *,
        name: str | None = None,
        revision: str | None = None,
        pooling: Pooling | None = None,
        query_prompt: str | None = None,
        max_length: int | None = None,
    ) -> ModelInfo:
        """Read a model folder and hash the files that are used from it.

        Facts that are None are read from sentence-transformers' files where the folder has them,
        else from the tokenizer's and the model's configuration.

        Raises:
            ModelNotFoundError: a file is missing.
            ModelError: a file lacks a fact or has one of the wrong type, or asks for a pooling that
                twinvec does not implement.
            ValueError: the dtype is unknown.
        """
        weights = weights_file(folder, dtype)
        config = Facts.read(folder / "config.json")
        dim = config.number("hidden_size")
        if not 1 <= dim <= MAX_DIM:
            raise ModelError(
                f"{config.file}: hidden_size is {dim or 'missing'}, not 1 to {MAX_DIM:,}; is it an "
                "encoder?"
            )
        prompts = Facts.read_optional(folder / _PROMPTS).facts("prompts")
        references = Facts.read_optional(folder / REFERENCE_FILE).facts(dtype)
        onnx_files = (f"onnx/{file.name}" for file in (folder / "onnx").iterdir())
        paths = [*CONFIG_FILES, *weights_parts(dtype, onnx_files)]
        paths += [path for path in OPTIONAL_FILES if (folder / path).is_file()]
        return cls(
            name=name or folder.resolve().name,
            revision=revision,
            dim=dim,
            max_length=max_length or _max_length(folder, config),
            pooling=pooling or _pooling(folder),
            query_prompt=prompts.text("query") if query_prompt is None else query_prompt,
            document_prompt=prompts.text("document", "passage", "corpus"),
            weights={dtype: weights},
            files={path: _file_facts(folder, path) for path in sorted(paths)},
            references={dtype: check_block(references, dim)} if references else {},
        )


def weights_file(folder: Path, dtype: str) -> str:
    """Find the ONNX file of a dtype; return its path relative to the model folder.

    Raises:
        ValueError: the dtype is unknown.
        ModelNotFoundError: this model does not have the dtype.
        UnsupportedModelError: its external data are named as Transformers.js cannot find them.
    """
    facts, path = dtype_facts(dtype), onnx_path(dtype)
    if not (folder / path).is_file():
        present = ", ".join(name for name in DTYPES if (folder / onnx_path(name)).is_file())
        way_out = f"; make {dtype} from {facts.made_from} with: twinvec convert"
        raise ModelNotFoundError(
            f"{folder / path} does not exist; this model has "
            + (f"dtype {present}" if present else "no ONNX file under onnx/")
            + (way_out if facts.derived else "")
        )
    if (folder / f"{path}.data").is_file():  # as PyTorch's exporter names it
        raise UnsupportedModelError(
            f"{folder / path} keeps its weights in {path}.data, but the Transformers.js layout "
            f"names them {path}_data. Make a folder in that layout with: twinvec convert"
        )
    return path


def recorded_hashes(folder: Path) -> dict[str, str]:
    """Read the hashes that `convert` recorded, path -> SHA-256; {} where it recorded none.

    Raises:
        ModelError: a line is not one that `sha256sum` prints.
    """
    file = folder / SHA256SUMS
    if not file.is_file():
        return {}
    hashes: dict[str, str] = {}
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        match = _HASH_LINE.fullmatch(line)
        if not match or hashes.setdefault(match[2], match[1]) != match[1]:
            raise ModelError(
                f"{file}, line {number}: expected a SHA-256, two spaces and a path that no other "
                "line has. Make the folder again with twinvec convert, or delete the file if it "
                "was changed on purpose."
            )
    return hashes


def _file_facts(folder: Path, path: str) -> dict[str, Any]:
    file = folder / path
    if not file.is_file():
        raise missing_file(file)
    return {"bytes": file.stat().st_size, "sha256": sha256_of(file)}


def _max_length(folder: Path, config: Facts) -> int:
    """Return the smallest limit that the folder's files state, in tokens."""
    positions = config.number("max_position_embeddings") or _NO_LIMIT_TOKENS
    if config.get("model_type") in _OFFSET_POSITIONS:
        positions -= config.number("pad_token_id", 1) + 1
    sentence_bert = Facts.read_optional(folder / _SENTENCE_BERT)
    tokenizer = Facts.read(folder / "tokenizer_config.json")
    limits = (
        positions,
        sentence_bert.number("max_seq_length"),
        tokenizer.number("model_max_length"),
    )
    stated = (limit for limit in limits if 0 < limit < _NO_LIMIT_TOKENS)
    return min(stated, default=_DEFAULT_MAX_TOKENS)


def _pooling(folder: Path) -> Pooling:
    """Read sentence-transformers' pooling configuration; mean without its file."""
    try:
        config = Facts.read(folder / _POOLING)
    except ModelNotFoundError:
        return "mean"
    keys = [
        key for key, value in config.items() if key.startswith("pooling_mode_") and value is True
    ]
    if "pooling_mode" in config:  # as newer sentence-transformers write it
        modes = config["pooling_mode"]
        keys = [f"pooling_mode_{mode}" for mode in (modes if isinstance(modes, list) else [modes])]
    if len(keys) != 1 or keys[0] not in _POOLING_MODES:
        raise ModelError(
            f"{config.file}: twinvec does not implement pooling {' + '.join(keys) or '(none)'}"
        )
    return pooling_mode(_POOLING_MODES[keys[0]])
