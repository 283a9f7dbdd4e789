from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from twinvec import IntegrityError
from twinvec.site.files import copy_verified

if TYPE_CHECKING:
    from pathlib import Path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_an_equal_target_is_not_written_again(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "folder" / "target"
    source.write_bytes(b"a")
    assert copy_verified(source, target, sha256(b"a")) == target
    written = target.stat().st_mtime_ns
    source.unlink()
    assert copy_verified(source, target, sha256(b"a")).stat().st_mtime_ns == written


def test_an_altered_source_is_refused(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"altered")
    target.write_bytes(b"old")
    with pytest.raises(IntegrityError, match="hash mismatch"):
        copy_verified(source, target, sha256(b"a"))
    assert target.read_bytes() == b"old"
