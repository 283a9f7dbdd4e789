"""Compare the files of a model folder with their expected hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinvec.download import discard, sha256_of
from twinvec.errors import IntegrityError
from twinvec.model.info import CONFIG_FILES, OPTIONAL_FILES, REFERENCE_FILE, ModelInfo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def verified_info(
    folder: Path,
    dtype: str,
    hashes: Mapping[str, str],
    *,
    required: bool,
    cache: Path | None = None,
    way_out: str = "",
    **facts: Any,
) -> ModelInfo:
    """Read a model folder, and compare every file in use with its hash.

    Args:
        folder: a model folder.
        dtype: which weights.
        hashes: path -> SHA-256.
        required: refuse a file that `hashes` does not name.
        cache: where a file with another hash is deleted, so that the next attempt brings it again;
            None to delete nothing.
        way_out: the advice in an `IntegrityError`; "" for its own.
        facts: passed on to `ModelInfo.from_folder`.

    Raises:
        IntegrityError: a file has another hash, or a recorded one is missing.
        ModelNotFoundError: a file that every model needs is missing.
        ModelError: see `ModelInfo.from_folder`.
    """

    def compare(path: str, digest: str) -> None:
        expected = hashes.get(path, "none recorded" if required else digest)
        if digest == expected:
            return
        if cache:
            discard(folder / path, cache)
        raise IntegrityError(str(folder / path), expected, digest, way_out)

    # Small files are hashed before they are parsed: an altered one may not even be JSON.
    for path in (*CONFIG_FILES, *OPTIONAL_FILES, REFERENCE_FILE):
        if (folder / path).is_file():
            compare(path, sha256_of(folder / path))
        elif path in hashes and path not in CONFIG_FILES:  # a default would replace it silently
            compare(path, "no such file")
    info = ModelInfo.from_folder(folder, dtype, **facts)
    for path, file_facts in info.files.items():
        compare(path, file_facts["sha256"])
    return info
