"""Write a folder that any static host can serve: runtime, model, scripts and an index.

Its files are pinned by version and SHA-256 and verified before they are copied. None of them asks
another origin for anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.embedder import Embedder
from twinvec.errors import TwinvecError
from twinvec.files.atomic import PART_SUFFIX, delete_parts, locked, target_name
from twinvec.index import Index
from twinvec.index.writing.shards import check_folder, replace_folder
from twinvec.site.components import component_of, site_components
from twinvec.site.compress import brotli_path, write_compressed
from twinvec.site.licenses import write_licenses
from twinvec.site.manifest import SITE_MANIFEST, write_manifest
from twinvec.site.models import find_models, write_model
from twinvec.site.packages import write_runtime
from twinvec.site.sample import load_own_index, write_sample
from twinvec.site.scripts import DOORS, WORKERS, write_scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from twinvec.site.models import FoundModels

WEB = Path(__file__).parents[3] / "web"
"""The sources of the browser side, in a checkout of twinvec."""

SITE_MARK = "runtime/twinvec.zip"
"""File by which a site is recognized."""

OWNED_FOLDERS = ("models", "runtime")
"""Folders of a site in which files that do not belong to it are deleted."""

MIN_COMPRESSED_BYTES = 50_000


def build_site(
    out: Path,
    model: str | Path | None = None,
    *,
    dtypes: Sequence[str] = ("fp32",),
    index: Path | None = None,
    webgpu: bool = False,
    web: Path = WEB,
    on_compress: Callable[[int, int], object] | None = None,
) -> tuple[Embedder, Index]:
    """Write a site; unchanged files stay untouched.

    Each file is replaced in one step, `manifest.json` after all others. After a crash the next
    build finishes the site.

    Args:
        out: folder of the site. Its folders `models` and `runtime` belong to twinvec, and other
            files in them are deleted. An index in `out/index` is kept, unless it is the sample.
        model: as in `Embedder.from_pretrained`.
        dtypes: weights to offer. The first is the default of a page, and embeds the sample index.
        index: folder of an index to copy to `out/index`; None for the one there, or the sample.
        webgpu: offer WebGPU, which needs another build of ONNX Runtime.
        web: the sources of the browser side, with their npm packages installed.
        on_compress: called after each compressed file with the files done, and their total.

    Returns:
        The model, opened natively, and the index in `out/index`.

    Raises:
        TwinvecError: a source file is missing, or `out` holds files that are not twinvec's.
        IntegrityError: a file is not the pinned one.
        IndexMismatchError: the index belongs to another model, dtype or limits.
        IndexFormatError: `index` is not an index, or `out/index` holds something else.
    """
    _check_sources(web)
    with locked(out):
        _delete_remains(out)
        _check_target(out)
        return _build(out, model, dtypes, index, web, webgpu=webgpu, on_compress=on_compress)


def _build(
    out: Path,
    model: str | Path | None,
    dtypes: Sequence[str],
    index: Path | None,
    web: Path,
    *,
    webgpu: bool,
    on_compress: Callable[[int, int], object] | None,
) -> tuple[Embedder, Index]:
    models = find_models(model, dtypes)
    _, info = models[dtypes[0]]
    embedder = Embedder.from_pretrained(model or info.name, dtype=dtypes[0])
    own_index = None
    if index and index.resolve() != (out / "index").resolve():
        Index.load(index).check(embedder)  # before anything is written
    else:
        index, own_index = None, load_own_index(out / "index", embedder)
    _write_files(out, models, web, webgpu=webgpu, on_compress=on_compress)
    if index:
        replace_folder(out / "index", index)
        own_index = Index.load(out / "index")
    elif own_index is None:
        own_index = write_sample(out / "index", embedder)
    return embedder, own_index


def is_site(folder: Path) -> bool:
    """Check if a folder is a site that `build_site` wrote."""
    return (folder / SITE_MARK).is_file()


def _check_sources(web: Path) -> None:
    """Check that this is a checkout of twinvec, not an installed package."""
    if not web.is_dir():
        raise TwinvecError(
            f"{web} does not exist. Build sites from a checkout of twinvec: python build.py"
        )


def _check_target(out: Path) -> None:
    """Check that a build neither deletes nor replaces anybody else's files."""
    if not is_site(out):
        # An earlier build may have ended before it wrote the first file.
        folders = [out / name for name in OWNED_FOLDERS]
        _refuse_existing(folder for folder in folders if any(_files_in(folder)))
        _refuse_existing(out / name for name in DOORS)
    manifest = out / SITE_MANIFEST  # web applications often have a file of that name
    if manifest.exists() and SITE_MARK.encode() not in manifest.read_bytes():
        _refuse_existing([manifest])
    # Sites of earlier versions have no `workers` folder: one there may be the owner's own.
    scripts = {path for name in WORKERS for path in (out / name, brotli_path(out / name))}
    _refuse_existing(file for file in (out / "workers").glob("*") if file not in scripts)
    check_folder(out / "index")


def _files_in(folder: Path) -> Iterator[Path]:
    """Yield a folder's files, or the file of that name; unfinished files excepted."""
    for file in [folder, *folder.rglob("*")]:
        if not file.is_dir() and file.exists() and target_name(file) is None:
            yield file


def _delete_remains(out: Path) -> None:
    """Delete the temporary files of a build that was killed; `_write_files` deletes the others."""
    names = {*DOORS, *OWNED_FOLDERS, "workers", SITE_MANIFEST}
    for part in out.glob(f".*{PART_SUFFIX}"):
        if target_name(part) in names:
            delete_parts(out / str(target_name(part)))
    for name in WORKERS:
        delete_parts(out / name)


def _refuse_existing(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            raise TwinvecError(
                f"{path} exists and was not written by twinvec, which would delete or replace it. "
                "Choose an empty folder, or move it away."
            )


def _write_files(
    out: Path,
    models: FoundModels,
    web: Path,
    *,
    webgpu: bool,
    on_compress: Callable[[int, int], object] | None,
) -> None:
    """Write everything but the index, and delete stale files from the owned folders."""
    out.mkdir(parents=True, exist_ok=True)
    files = [*write_runtime(out, web, webgpu=webgpu), *write_model(out, models)]
    # Weights and their external data are left out: Brotli saves a tenth, and takes minutes.
    others = [file for file in files if ".onnx" not in file.name]
    large = [file for file in others if file.stat().st_size > MIN_COMPRESSED_BYTES]
    files += write_compressed(large, web, on_compress)
    files += [*write_licenses(out, web), *write_scripts(out, web)]
    stale = {file for name in OWNED_FOLDERS for file in (out / name).rglob("*") if file.is_file()}
    for file in stale.difference(files):
        file.unlink()
    _, info = next(iter(models.values()))
    paths = [file.relative_to(out).as_posix() for file in files]
    components = {path: component_of(path) for path in paths}
    write_manifest(out, components, site_components(web, info))
