"""Find any other model of the Hugging Face Hub, trusting the hashes that the Hub announces."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from twinvec.catalog.made import is_complete, made_folder, make_folder
from twinvec.catalog.verify import verified_info
from twinvec.errors import DownloadError, ModelNotFoundError
from twinvec.model.dtypes import dtype_facts, onnx_path
from twinvec.model.info import CONFIG_FILES, OPTIONAL_FILES, ModelInfo, recorded_hashes

if TYPE_CHECKING:
    from pathlib import Path


def find_unpinned(
    name: str, revision: str, dtype: str, *, local_files_only: bool, cache: Path
) -> tuple[Path, ModelInfo]:
    """Find a model that has no pin: the Hub's own weights, else weights made from its fp32 ones.

    Raises:
        ModelNotFoundError: the model, its revision or its dtype does not exist.
        DownloadError: the model is not cached, and cannot be downloaded.
        IntegrityError: a file's hash is not the one that the Hub announces.
    """
    # huggingface_hub takes 0.15 s to import, and a local folder does not need it.
    from twinvec.catalog.hub import from_hub

    download = partial(
        from_hub, name, revision, files=CONFIG_FILES, optional=OPTIONAL_FILES, cache=cache
    )
    derived = dtype_facts(dtype).derived
    full = None
    with suppress(DownloadError):
        full = download(dtype="fp32", local_files_only=True) if derived else None
    if full:
        folder = made_folder(name, full.name, dtype, cache)
        if is_complete(folder, [onnx_path(dtype)]):
            return folder, _made_info(folder, dtype, name, full.name, cache)
    try:
        folder = download(dtype=dtype, local_files_only=local_files_only)
    except ModelNotFoundError:
        if not derived:
            raise
    else:
        return folder, _info(folder, dtype, name, folder.name)
    full = download(dtype="fp32", local_files_only=local_files_only)
    folder = make_folder(full, name, full.name, dtype, cache)
    return folder, _made_info(folder, dtype, name, full.name, cache)


def _info(folder: Path, dtype: str, name: str, commit: str) -> ModelInfo:
    return ModelInfo.from_folder(folder, dtype, name=name, revision=commit)


def _made_info(folder: Path, dtype: str, name: str, commit: str, cache: Path) -> ModelInfo:
    return verified_info(
        folder,
        dtype,
        recorded_hashes(folder),
        required=True,
        cache=cache,
        name=name,
        revision=commit,
    )
