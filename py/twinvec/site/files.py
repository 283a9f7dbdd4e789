"""Copy verified files into a site."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from twinvec.download import sha256_of
from twinvec.errors import IntegrityError
from twinvec.files.atomic import replacing

if TYPE_CHECKING:
    from pathlib import Path


def copy_verified(source: Path, target: Path, sha256: str) -> Path:
    """Copy a file with a known hash, unless the target already has that hash.

    Returns:
        The target.

    Raises:
        IntegrityError: the source has another hash.
    """
    if target.is_file() and sha256_of(target) == sha256:
        return target
    source_sha256 = sha256_of(source)
    if source_sha256 != sha256:
        advice = "Empty twinvec's cache and try again."
        raise IntegrityError(str(source), sha256, source_sha256, advice)
    copy_file(source, target)
    return target


def copy_file(source: Path, target: Path) -> None:
    """Copy a file as a whole, and create the folders above it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part:
        shutil.copyfile(source, part)
