"""The licenses of other projects' parts of a site, collected in `runtime/licenses/`.

NumPy's texts come from its wheel. The npm packages contain none: theirs are in `web/licenses/`.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from twinvec.files.atomic import write_file
from twinvec.site.packages import fetch_numpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS = {
    "cpython": "licenses/cpython.txt",
    "onnxruntime-web": "licenses/onnxruntime-web.txt",
    "pyodide": "licenses/pyodide.txt",
    "twinvec": "../LICENSE",
    "web-tokenizers": "licenses/web-tokenizers.txt",
}
"""Component -> its text's path below the sources of the browser side."""


def write_licenses(out: Path, web: Path) -> Iterator[Path]:
    """Write the license texts into the site `out`, unchanged ones excepted. Yield all their files.

    Raises:
        IntegrityError: NumPy's wheel is not the pinned one.
    """
    texts = {name: (web / path).read_bytes() for name, path in TEXTS.items()}
    for name, text in (texts | {"numpy": numpy_licenses(fetch_numpy())}).items():
        file = out / license_text(name)
        if not file.is_file() or file.read_bytes() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_file(file, text)
        yield file


def license_text(component: str) -> str:
    """Return the path of a component's license text in a site."""
    return f"runtime/licenses/{component}.txt"


def numpy_licenses(wheel: Path) -> bytes:
    """Join the license texts in a wheel, each below its path."""
    with zipfile.ZipFile(wheel) as opened:
        names = sorted(name for name in opened.namelist() if ".dist-info/licenses/" in name)
        texts = [
            name.partition("/licenses/")[2].encode() + b"\n\n" + opened.read(name) for name in names
        ]
    return (b"\n" + b"=" * 80 + b"\n\n").join(texts)
