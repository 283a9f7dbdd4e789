"""A model folder, and what it says of itself.

It has the Transformers.js layout: `config.json`, `tokenizer.json`, `tokenizer_config.json` and
`onnx/model<suffix>.onnx`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twinvec.download import sha256_of
from twinvec.encoding.pooling import Pooling, pooling_mode
from twinvec.errors import ModelError, ModelNotFoundError, UnsupportedModelError
from twinvec.model.dtypes import DERIVED, DTYPES, check_dtype, onnx_path, weights_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = [
    "CONFIG_FILES",
    "OPTIONAL_FILES",
    "PROBES_FILE",
    "SHA256SUMS",
    "ModelInfo",
    "read_json",
    "recorded_hashes",
    "weights_file",
]

SHA256SUMS = "SHA256SUMS"
"""The file in which a model folder made here records the hashes of its other files."""

PROBES_FILE = "probes.json"
"""The file in which it records the vectors that its weights gave; see `selfcheck`."""

_SENTENCE_BERT = "sentence_bert_config.json"
_POOLING = "1_Pooling/config.json"
_PROMPTS = "config_sentence_transformers.json"

CONFIG_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")
OPTIONAL_FILES = ("special_tokens_map.json", _SENTENCE_BERT, _POOLING, _PROMPTS)
"""Files that a model may have; all of them are small."""

_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Model types that number their positions from behind the padding id."""
_UNBOUNDED = 1_000_000  # tokenizer_config.json writes "no limit" as 10^30


@dataclass(frozen=True)
class ModelInfo:
    """What both runtimes need to know of a model; written into a site's `models/manifest.json`."""

    name: str
    revision: str | None
    dim: int
    max_length: int
    pooling: Pooling
    query_prompt: str
    """What the model expects before a search query; "" for nothing."""
    document_prompt: str
    """What it expects before a text that is searched for."""
    weights: dict[str, str]
    """dtype -> path of its ONNX file, relative to the model's folder; see `weights_parts`."""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """path -> {"bytes": size, "sha256": hash}."""
    probes: dict[str, Any] = field(default_factory=dict)
    """dtype -> reference vectors for the self-check; see `selfcheck`."""

    @classmethod
    def from_json(cls, block: Mapping[str, Any]) -> ModelInfo:
        """Read what `to_json` wrote."""
        return cls(**block)

    def to_json(self) -> dict[str, Any]:
        """Give a JSON-ready copy."""
        return asdict(self)

    def weights_sha256(self, dtype: str) -> str:
        """Hash a dtype's weights; lower-case hexadecimal.

        The ONNX file's SHA-256. With external data the SHA-256 of all parts' hexadecimal digests,
        joined in the order of `weights_parts`.
        """
        parts = weights_parts(self.weights[dtype], self.files)
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

        What is not given is read from sentence-transformers' files where the folder has them,
        else from the tokenizer's and the model's configuration.

        Raises:
            ModelNotFoundError: a file is missing.
            ModelError: a file does not say what is needed, or asks for another pooling.
            ValueError: the dtype is unknown.
        """
        weights = weights_file(folder, dtype)
        config = read_json(folder / "config.json")
        if "hidden_size" not in config:
            raise ModelError(f"{folder / 'config.json'} has no hidden_size; is it an encoder?")
        prompts, probes = _prompts(folder), _probes(folder)
        onnx_files = (f"onnx/{file.name}" for file in (folder / "onnx").iterdir())
        names = [*CONFIG_FILES, *weights_parts(weights, onnx_files)]
        names += [extra for extra in OPTIONAL_FILES if (folder / extra).is_file()]
        return cls(
            name=name or folder.resolve().name,
            revision=revision,
            dim=config["hidden_size"],
            max_length=max_length or _max_length(folder, config),
            pooling=pooling or _pooling(folder),
            query_prompt=_first(prompts, ("query",)) if query_prompt is None else query_prompt,
            document_prompt=_first(prompts, ("document", "passage", "corpus")),
            weights={dtype: weights},
            files={path: _file_facts(folder, path) for path in sorted(names)},
            probes={dtype: probes[dtype]} if dtype in probes else {},
        )


def weights_file(folder: Path, dtype: str) -> str:
    """Name the weights of a dtype, relative to the model's folder.

    Raises:
        ValueError: no such dtype exists.
        ModelNotFoundError: this model does not have it.
        UnsupportedModelError: they are in external data that Transformers.js would not find.
    """
    check_dtype(dtype)
    path = onnx_path(dtype)
    if not (folder / path).is_file():
        present = [known for known in DTYPES if (folder / onnx_path(known)).is_file()]
        raise ModelNotFoundError(
            f"{folder / path} is not there; this model has "
            + (f"dtype {', '.join(present)}" if present else "no ONNX file under onnx/")
            + (f"; make {dtype} of fp32 with: twinvec convert" if dtype in DERIVED else "")
        )
    if (folder / f"{path}.data").is_file():  # as PyTorch's exporter names it
        raise UnsupportedModelError(
            f"{folder / path} keeps its weights in {path}.data, which the Transformers.js layout "
            f"has no place for (it has {path}_data); make a folder in that layout of it with: "
            "twinvec convert"
        )
    return path


def read_json(file: Path) -> Any:
    """Read a JSON file of a model.

    Raises:
        ModelNotFoundError: it is not there.
        ModelError: it is not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise ModelNotFoundError(f"{file} is missing from the model's folder") from err
    except ValueError as err:
        raise ModelError(f"{file} is not valid JSON ({err}); delete it and try again") from err


def _file_facts(folder: Path, path: str) -> dict[str, Any]:
    file = folder / path
    if not file.is_file():
        raise ModelNotFoundError(f"{file} is missing from the model's folder")
    return {"bytes": file.stat().st_size, "sha256": sha256_of(file)}


def recorded_hashes(folder: Path) -> dict[str, str]:
    """Read what `convert` wrote beside a model that it made, as `sha256sum` prints it."""
    file = folder / SHA256SUMS
    if not file.is_file():
        return {}
    lines = (line.partition("  ") for line in file.read_text(encoding="utf-8").splitlines())
    return {path: digest for digest, _, path in lines}


def _max_length(folder: Path, config: Mapping[str, Any]) -> int:
    """Take the smallest limit that the folder states; sentence-transformers' file where it is."""
    positions = config.get("max_position_embeddings") or _UNBOUNDED
    if config.get("model_type") in _OFFSET_POSITIONS:
        positions -= config.get("pad_token_id", 1) + 1
    limits = [positions]
    sentence_bert = folder / _SENTENCE_BERT
    if sentence_bert.is_file():
        limits.append(read_json(sentence_bert).get("max_seq_length") or _UNBOUNDED)
    limits.append(read_json(folder / "tokenizer_config.json").get("model_max_length") or _UNBOUNDED)
    return int(min((limit for limit in limits if 0 < limit < _UNBOUNDED), default=512))


def _probes(folder: Path) -> Mapping[str, Any]:
    file = folder / PROBES_FILE
    return read_json(file) if file.is_file() else {}


def _prompts(folder: Path) -> Mapping[str, str]:
    """Read sentence-transformers' prompts by name; none where there is no such file."""
    file = folder / _PROMPTS
    if not file.is_file():
        return {}
    return read_json(file).get("prompts") or {}


def _first(prompts: Mapping[str, str], names: Sequence[str]) -> str:
    return next((prompts[name] for name in names if name in prompts), "")


def _pooling(folder: Path) -> Pooling:
    """Read sentence-transformers' pooling configuration; mean where there is none."""
    file = folder / _POOLING
    if not file.is_file():
        return "mean"
    block = read_json(file)
    chosen = [
        key for key, value in block.items() if key.startswith("pooling_mode_") and value is True
    ]
    if "pooling_mode" in block:  # as newer sentence-transformers write it
        modes = block["pooling_mode"]
        chosen = [f"pooling_mode_{mode}" for mode in ([modes] if isinstance(modes, str) else modes)]
    names = {
        "pooling_mode_mean": "mean",
        "pooling_mode_cls": "cls",
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
        "pooling_mode_lasttoken": "last_token",
    }
    if len(chosen) != 1 or chosen[0] not in names:
        raise ModelError(
            f"{file}: pooling {' + '.join(chosen) or '(none)'} is not one that twinvec implements"
        )
    return pooling_mode(names[chosen[0]])
