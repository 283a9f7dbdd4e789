"""Bundle the modules of `web/` into the scripts of a site, with esbuild.

Bundled, a page needs two requests before it can start a worker, however many modules the sources
have. The scripts are not minified: they can be read in a browser's debugger.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.errors import TwinvecError
from twinvec.site.node import run_script

if TYPE_CHECKING:
    from collections.abc import Iterator

DOORS = ("twinvec.js", "twinvec-search.js", "sw.js")
"""Scripts at a site's root: addresses that pages rely on."""

WORKERS = ("workers/python.js", "workers/session.js")


def write_scripts(out: Path, web: Path) -> Iterator[Path]:
    """Write the scripts into the site `out`; unchanged ones stay untouched. Yield their paths.

    Raises:
        TwinvecError: Node or esbuild is missing, or bundling failed.
    """
    if not (web / "node_modules" / "esbuild").is_dir():
        raise TwinvecError(f"esbuild is missing; run `npm ci --ignore-scripts` in {web}")
    with tempfile.TemporaryDirectory() as folder:
        run_script(web / "tools" / "bundle.mjs", Path(folder))
        for name in (*DOORS, *WORKERS):
            source, target = Path(folder) / name, out / name
            if not target.is_file() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            yield target
