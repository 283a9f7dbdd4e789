from __future__ import annotations

from typing import TYPE_CHECKING

from conftest import DIST
from twinvec.site.build import MIN_COMPRESSED_BYTES, WEB
from twinvec.site.compress import brotli_path, write_compressed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_is_large_has_a_brotli_form() -> None:
    files = [file for file in (DIST / "runtime").rglob("*") if file.is_file()]
    large = [file for file in files if file.stat().st_size > MIN_COMPRESSED_BYTES]
    sources = [file for file in large if file.suffix not in (".br", ".txt")]  # no page loads texts
    assert len(sources) >= 8
    for file in sources:
        assert 0 < brotli_path(file).stat().st_size < file.stat().st_size


def test_each_content_is_compressed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINVEC_CACHE", str(tmp_path / "cache"))
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for number, file in enumerate(files):
        file.write_text(f"{number}" * 1000, encoding="utf-8")
    reports: list[tuple[int, int]] = []

    def report(done: int, total: int) -> None:
        reports.append((done, total))

    for _ in range(2):
        compressed = write_compressed(files, WEB, report)
        assert compressed == [tmp_path / "a.txt.br", tmp_path / "b.txt.br"]
        assert all(0 < file.stat().st_size < 100 for file in compressed)
        assert reports == [(1, 2), (2, 2)]
        compressed[0].unlink()
