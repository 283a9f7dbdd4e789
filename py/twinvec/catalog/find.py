"""Find a model by its name, download missing files, and verify them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinvec.catalog.listing import list_weights
from twinvec.catalog.pinned import find_pinned, pinned_dtypes
from twinvec.catalog.pins import DEFAULT, EMBEDDED, PINS
from twinvec.catalog.unpinned import find_unpinned
from twinvec.catalog.verify import verified_info
from twinvec.download import cache_root
from twinvec.errors import (
    DownloadError,
    IntegrityError,
    ModelError,
    ModelNotFoundError,
    WeightsNotFoundError,
    warn_caller,
)
from twinvec.model.dtypes import DTYPES, dtype_facts, makeable_dtypes, parity
from twinvec.model.info import SHA256SUMS, ModelInfo, recorded_hashes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def find_model(
    model: str | Path | None,
    *,
    dtype: str,
    revision: str | None = None,
    local_files_only: bool = False,
    cache_dir: Path | str | None = None,
) -> tuple[Path, ModelInfo]:
    """Find a model, download missing files, and verify all of them.

    Args:
        model: a known name, any Hub name, a local folder, or None for the default.
        dtype: a key of `DTYPES`.
        revision: a Hub commit, branch or tag; None for the pinned one, else `main`.
        local_files_only: never use the network.
        cache_dir: see `download.cache_root`.

    Returns:
        The model folder, and its facts.

    Raises:
        ModelNotFoundError: the model or its dtype does not exist.
        DownloadError: the model is not cached, and cannot be downloaded.
        IntegrityError: a file's hash is not the one that was pinned, that the Hub announces, or
            that a local folder's `SHA256SUMS` records.
        ValueError: the dtype is unknown.
    """
    dtype_facts(dtype)
    cache = cache_root(cache_dir)
    if model is None:
        return _default_model(dtype, local_files_only=local_files_only, cache=cache)
    if _is_folder(Path(model)):
        return Path(model), _local_info(Path(model), dtype)
    name = str(model)
    pin = PINS.get(name) if isinstance(model, str) else None
    if pin and revision in (None, pin.revision):
        return find_pinned(pin, dtype, local_files_only=local_files_only, cache=cache)
    if isinstance(model, Path) or name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelNotFoundError(
            f"{name!r} is neither an existing folder nor a model name of the form 'owner/name'"
        )
    return find_unpinned(
        name, revision or "main", dtype, local_files_only=local_files_only, cache=cache
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # the name is too long, or a parent cannot be read
        return False


def find_dtype(fingerprint: Mapping[str, Any], model: str | None = None) -> str:
    """Find the dtype of the weights that a fingerprint names by their hash.

    Args:
        fingerprint: of an embedder, as an index stores it.
        model: a Hub name or local folder; None for the name in the fingerprint, which for a local
            folder is not its path.

    Raises:
        WeightsNotFoundError: no dtype of the model has these weights.
    """
    name, sha256 = model or fingerprint["model"], fingerprint["weights_sha256"]
    failure: Exception | None = None
    for dtype in _likely_dtypes(name, fingerprint["parity"]):
        try:
            _, info = find_model(name, dtype=dtype, revision=fingerprint["revision"])
        except (ModelError, DownloadError) as err:
            failure = err
            continue
        if info.weights_sha256(dtype) == sha256:
            return dtype
    raise WeightsNotFoundError(
        f"no weights of {name} match the fingerprint (SHA-256 {sha256}"
        + (f"; the last dtype tried failed with: {failure}" if failure else "")
        + "); name the folder or model that it was built with"
    )


def _likely_dtypes(name: str, parity_class: str) -> Iterator[str]:
    """Order the dtypes of a parity class: cached ones, then makeable ones, then all others."""
    cached = [weights.dtype for weights in list_weights() if weights.model == name and weights.file]
    likely = dict.fromkeys([*cached, *makeable_dtypes(), *DTYPES])
    return (dtype for dtype in likely if parity(dtype) == parity_class)


def _local_info(folder: Path, dtype: str) -> ModelInfo:
    """Read a user's own folder; one without `SHA256SUMS` is not checked."""
    record = folder / SHA256SUMS
    way_out = (
        f"It was changed or added after {record} was written. Make the folder again with "
        f"twinvec convert, or delete {SHA256SUMS} if the change was made on purpose."
    )
    hashes = recorded_hashes(folder)
    return verified_info(folder, dtype, hashes, required=record.exists(), way_out=way_out)


def _default_model(dtype: str, *, local_files_only: bool, cache: Path) -> tuple[Path, ModelInfo]:
    """Find the default model, or with a warning the embedded one if it cannot be downloaded."""
    try:
        return find_pinned(DEFAULT, dtype, local_files_only=local_files_only, cache=cache)
    except IntegrityError:
        raise
    except DownloadError as err:
        if dtype not in pinned_dtypes(EMBEDDED):
            raise
        reason = str(err).splitlines()[0]
    message = (
        f"using {EMBEDDED.name} instead of {DEFAULT.name}, whose vectors are not comparable with "
        f"it: {reason}. Name a model to choose one yourself."
    )
    warn_caller(UserWarning(message))
    return find_pinned(EMBEDDED, dtype, local_files_only=local_files_only, cache=cache)
