"""Build the demo into a site that `twinvec site` wrote: its page, and the corpus to search.

::

    python -m demo DIST
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from platform import python_version

from demo.index import index_stdlib
from twinvec.embedder import Embedder
from twinvec.index.format import MANIFEST
from twinvec.index.manifest import Manifest
from twinvec.site.components import Component
from twinvec.site.licenses import license_text
from twinvec.site.manifest import read_manifest, write_manifest

PAGE = Path(__file__).parents[2] / "web" / "demo"

DOCS = "python-documentation"
"""Component of the demo's index."""


def write_page(site: Path) -> None:
    """Copy the page to the site's root, and its scripts and style to `demo/`."""
    folder = site / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("index.html"))
    shutil.copyfile(PAGE / "index.html", site / "index.html")


def write_index(site: Path) -> None:
    """Index Python's documentation into `search/`, with the site's first model."""
    out = site / "search"
    manifest = json.loads((site / "models" / "manifest.json").read_bytes())
    embedder = Embedder.from_pretrained(manifest["models"][0]["name"])
    embedded = index_stdlib(out, embedder)
    embedder.close()
    count = Manifest.from_json((out / MANIFEST).read_bytes()).count
    print(f"{out} is ready: {count:,} passages of the standard library, {embedded:,} embedded.")


def list_files(site: Path) -> None:
    """Add the demo's files to the site's manifest."""
    listed = read_manifest(site)
    files = {path: facts["component"] for path, facts in listed.files.items()}
    for path, component in {"demo": "twinvec", "search": DOCS}.items():
        for file in (site / path).rglob("*"):
            files[file.relative_to(site).as_posix()] = component
    files["index.html"] = "twinvec"
    origin = f"pkg:generic/python@{python_version()}"
    docs = Component(python_version(), origin, "PSF-2.0", license_text("cpython"))
    write_manifest(site, files, {**listed.components, DOCS: docs})


def main() -> None:
    """Build the demo into the site that the command line names."""
    site = Path(sys.argv[1])
    write_page(site)
    write_index(site)
    list_files(site)


if __name__ == "__main__":
    main()
