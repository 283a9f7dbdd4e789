"""The license texts of a site."""

from __future__ import annotations

from pathlib import Path

from twinvec.site.build import WEB
from twinvec.site.licenses import license_text, write_licenses

OPENINGS = {
    "cpython": "PYTHON SOFTWARE FOUNDATION LICENSE",
    "numpy": "Copyright (c) 2005-2025, NumPy Developers",
    "onnxruntime-web": "Copyright (c) Microsoft Corporation",
    "pyodide": "Mozilla Public License Version 2.0",
    "twinvec": "Apache License",
    "web-tokenizers": "Apache License",
}


def test_each_component_has_its_text(tmp_path: Path) -> None:
    files = list(write_licenses(tmp_path, WEB))
    assert files == [file for file in files if file.is_file()]
    for component, opening in OPENINGS.items():
        text = (tmp_path / license_text(component)).read_text(encoding="utf-8")
        assert opening in text, component
    assert len(files) == len(OPENINGS)
    before = [file.stat().st_mtime_ns for file in files]
    assert [file.stat().st_mtime_ns for file in write_licenses(tmp_path, WEB)] == before


def test_numpys_text_has_the_licenses_of_its_parts(tmp_path: Path) -> None:
    list(write_licenses(tmp_path, WEB))
    text = (tmp_path / license_text("numpy")).read_text(encoding="utf-8")
    for part in ("lapack_lite/LICENSE.txt", "pocketfft/LICENSE.md", "highway/LICENSE"):
        assert part in text
