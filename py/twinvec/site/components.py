"""The components of a site: other projects' parts, twinvec's own, and the model."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from twinvec.catalog.pins import PINS, UNKNOWN_LICENSE
from twinvec.errors import TwinvecError
from twinvec.site.licenses import license_text
from twinvec.site.packages import NUMPY

if TYPE_CHECKING:
    from pathlib import Path

    from twinvec.model.info import ModelInfo

PYTHON = "3.14.2"
"""Version of CPython in Pyodide's npm package."""

COMPONENT_FILES = {
    "runtime/pyodide/python_stdlib.zip": "cpython",
    "runtime/pyodide/*": "pyodide",
    "runtime/numpy.zip": "numpy",
    "runtime/onnxruntime-*": "onnxruntime-web",
    "runtime/tokenizers/*": "web-tokenizers",
    "runtime/*": "twinvec",  # its archive, and the collected licenses
    "models/manifest.json": "twinvec",
    "models/*": "model",
    "workers/*": "twinvec",
    "*.js": "twinvec",
}
"""Pattern of paths in a site -> component; the first match counts."""

_NUMPY_LICENSE = "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0"  # as its wheel states

# Pyodide, and the libraries that are linked into its WebAssembly; `web/licenses/pyodide.txt`.
_PYODIDE_LICENSE = (
    "MPL-2.0 AND PSF-2.0 AND MIT AND Zlib AND bzip2-1.0.6 AND BSD-3-Clause AND 0BSD AND blessing "
    "AND Apache-2.0 WITH LLVM-exception"
)


class Component(NamedTuple):
    """A part of a site that has a version and a license.

    ::

        Component("314.0.3", "pkg:npm/pyodide@314.0.3", "MPL-2.0")
    """

    version: str
    """ "" for a model folder without a revision."""
    origin: str
    """Package URL (purl)."""
    license: str
    """SPDX expression."""
    license_text: str = ""
    """Path in the site; "" where the package brings no text."""


def site_components(web: Path, info: ModelInfo) -> dict[str, Component]:
    """Return the components of a site by name.

    Args:
        web: the sources of the browser side; their lock file names the versions of npm packages.
        info: the site's model.
    """
    pyodide_version, pyodide = _npm(web, "pyodide")
    own, numpy = version("twinvec"), NUMPY.split("-")[1]
    numpy_origin = f"pkg:pypi/numpy@{numpy}?file_name={NUMPY}"
    components = {
        "cpython": Component(PYTHON, pyodide, "PSF-2.0"),
        "numpy": Component(numpy, numpy_origin, _NUMPY_LICENSE),
        "onnxruntime-web": Component(*_npm(web, "onnxruntime-web"), "MIT"),
        "pyodide": Component(pyodide_version, pyodide, _PYODIDE_LICENSE),
        "twinvec": Component(own, f"pkg:pypi/twinvec@{own}", "Apache-2.0"),
        "web-tokenizers": Component(*_npm(web, "@mlc-ai/web-tokenizers"), "Apache-2.0"),
    }
    texts = {
        name: component._replace(license_text=license_text(name))
        for name, component in components.items()
    }
    return texts | {"model": _model(info)}


def component_of(path: str) -> str:
    """Return the component of a file of a site, compressed or not.

    Raises:
        TwinvecError: the file belongs to none.
    """
    plain = path.removesuffix(".br")
    for pattern, component in COMPONENT_FILES.items():
        if fnmatchcase(plain, pattern):
            return component
    raise TwinvecError(f"{path} belongs to no component; add it to COMPONENT_FILES")


def _npm(web: Path, package: str) -> tuple[str, str]:
    """Return the locked version of an npm package, and its package URL."""
    lock = json.loads((web / "package-lock.json").read_bytes())
    locked: str = lock["packages"][f"node_modules/{package}"]["version"]
    return locked, f"pkg:npm/{package.replace('@', '%40')}@{locked}"


def _model(info: ModelInfo) -> Component:
    pin = PINS.get(info.name)
    known_license = pin.license if pin else UNKNOWN_LICENSE
    text = license_text("twinvec") if known_license == "Apache-2.0" else ""  # twinvec's own
    if info.revision is None:  # a folder on this computer
        return Component("", f"pkg:generic/{quote(info.name)}", known_license, text)
    origin = f"pkg:huggingface/{quote(info.name)}@{quote(info.revision)}"
    return Component(info.revision, origin, known_license, text)
