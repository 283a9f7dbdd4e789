"""The scripts of a site, bundled from the modules of `web/` with esbuild.

A page then needs two requests before it can start a worker, however many modules the sources have.
The scripts are not minified, so that they can be read in a browser's debugger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinvec.errors import TwinvecError
from twinvec.files.atomic import temporary_folder
from twinvec.site.files import copy_file
from twinvec.site.node import run_script

if TYPE_CHECKING:
    from pathlib import Path

DOORS = ("twinvec.js", "twinvec-search.js", "sw.js")
"""Scripts at a site's root: addresses that pages rely on."""

WORKERS = ("workers/python.js", "workers/session.js")


def write_scripts(out: Path, web: Path) -> list[Path]:
    """Write the scripts into the folder `out`, unchanged ones excepted. Return all their paths.

    Raises:
        TwinvecError: Node or esbuild is missing, or bundling failed.
    """
    if not (web / "node_modules" / "esbuild").is_dir():
        raise TwinvecError(f"esbuild is missing; run `npm ci --ignore-scripts` in {web}")
    with temporary_folder(out / "workers") as folder:
        # esbuild would put a relative path below the sources.
        run_script(web / "tools" / "bundle.mjs", folder.resolve())
        for name in (*DOORS, *WORKERS):
            bundle, target = folder / name, out / name
            if not target.is_file() or target.read_bytes() != bundle.read_bytes():
                copy_file(bundle, target)
    return [out / name for name in (*DOORS, *WORKERS)]
