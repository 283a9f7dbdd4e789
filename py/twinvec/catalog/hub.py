"""Find a model's files in the cache of the Hugging Face Hub, else download and check them.

The cache has the layout of `huggingface_hub`: `refs/` names the commit of a branch, `snapshots/`
has the files of each commit, as links to `blobs/`. A blob is named after its announced hash.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import scan_cache_dir, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from huggingface_hub.utils.sha import git_hash

from twinvec.catalog.hub_requests import COMMIT, HubFile, list_files, save_file
from twinvec.download import GRACE_SECONDS, sha256_of
from twinvec.errors import DownloadError, IntegrityError, ModelNotFoundError
from twinvec.files.atomic import CACHE_WAIT_SECONDS, locked, temporary_folder, write_file
from twinvec.model.dtypes import onnx_path, weights_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_REVISION = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*")
"""Names of branches and tags that are also safe as paths."""


def from_hub(
    name: str,
    revision: str,
    dtype: str,
    files: Sequence[str],
    optional: Sequence[str] = (),
    *,
    local_files_only: bool,
    cache: Path,
    grace_seconds: float = GRACE_SECONDS,
) -> Path:
    """Find a model's files in the cache, else download and check them; return their folder.

    Args:
        name: `owner/name`.
        revision: a commit, branch or tag.
        dtype: which weights; external data that belong to them are downloaded too.
        files: paths of other files that must exist.
        optional: paths of files that are downloaded if the Hub has them.
        local_files_only: never use the network.
        cache: the cache folder.
        grace_seconds: see `download.in_time`.

    Raises:
        ModelNotFoundError: the model, its revision or a file does not exist.
        DownloadError: a file is not cached, and cannot be downloaded.
        IntegrityError: a file's hash is not the one that the Hub announces; it is not kept.
    """
    repo = _repo_folder(name, revision, cache)
    weights = onnx_path(dtype)
    needed = [weights, *files]
    # Only the Hub knows which optional files exist: this marker records that none is missing.
    marker = f"{weights}.complete"
    if cached := _cached_folder(repo, revision, [*needed, marker] if optional else needed):
        return cached
    if local_files_only:
        raise DownloadError(f"{name} is not in the cache at {cache}, and downloading is off")
    listing = list_files(name, revision, grace_seconds=grace_seconds)
    for path in needed:
        if path not in listing.entries:
            raise ModelNotFoundError(f"{name} has no {path} on the Hub at {revision}")
    folder = repo / "snapshots" / listing.commit
    for path in dict.fromkeys([*files, *optional, *weights_parts(dtype, listing.entries)]):
        if path in listing.entries:
            blob = _verified_blob(name, listing.commit, listing.file(path), repo, grace_seconds)
            _link(folder / path, blob)
    if optional:
        (folder / marker).touch()
    _record_commit(repo, revision, listing.commit)
    return folder


def cached_file(name: str, revision: str, path: str, cache: Path) -> Path | None:
    """Return a file's path in the cache; None where it is not cached."""
    file = try_to_load_from_cache(name, path, cache_dir=cache / "hub", revision=revision)
    return Path(file) if isinstance(file, str) else None


def cached_files(cache: Path) -> Iterator[tuple[str, str, str, Path]]:
    """Yield each cached file: model name, revision, path in the model, path in the cache."""
    if not (cache / "hub").is_dir():
        return
    for repo in sorted(scan_cache_dir(cache / "hub").repos, key=lambda repo: repo.repo_id):
        for revision in repo.revisions:
            for file in sorted(revision.files, key=lambda file: file.file_path):
                path = file.file_path.relative_to(revision.snapshot_path)
                yield repo.repo_id, revision.commit_hash, path.as_posix(), file.file_path


def _repo_folder(name: str, revision: str, cache: Path) -> Path:
    """Return the folder of a model in the cache, whether or not it exists.

    Raises:
        ModelNotFoundError: the model or revision has a name that the Hub does not accept.
    """
    try:
        validate_repo_id(name)
    except HFValidationError as err:
        raise ModelNotFoundError(
            f"{name!r} is not a model name of the form 'owner/name': {err}"
        ) from err
    if not _REVISION.fullmatch(revision):
        raise ModelNotFoundError(f"{revision!r} is not the name of a commit, branch or tag")
    return cache / "hub" / f"models--{name.replace('/', '--')}"


def _cached_folder(repo: Path, revision: str, needed: Sequence[str]) -> Path | None:
    """Return the cached folder of a revision; None where a needed file is not cached."""
    ref = repo / "refs" / revision
    commit = revision
    if not COMMIT.fullmatch(revision):
        commit = ref.read_text(encoding="utf-8") if ref.is_file() else ""
    folder = repo / "snapshots" / commit
    if not COMMIT.fullmatch(commit):
        return None
    # A link that leads elsewhere was not made by twinvec.
    inside = repo.resolve()
    files = [(folder / path).resolve() for path in needed]
    if all(file.is_file() and file.is_relative_to(inside) for file in files):
        return folder
    return None


def _record_commit(repo: Path, revision: str, commit: str) -> None:
    """Remember the commit of a branch or tag, so that it opens without the network."""
    if revision != commit:
        ref = repo / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        write_file(ref, commit.encode())


def _verified_blob(name: str, commit: str, file: HubFile, repo: Path, grace_seconds: float) -> Path:
    """Return the cached content of a file, downloaded if necessary.

    Raises:
        IntegrityError: the hash is not the announced one; nothing is kept.
    """
    blob = repo / "blobs" / file.digest
    if blob.is_file() and _digest(blob, file) == file.digest:
        return blob
    with locked(blob, wait_seconds=CACHE_WAIT_SECONDS), temporary_folder(blob) as temporary:
        if blob.is_file() and _digest(blob, file) == file.digest:  # another run was faster
            return blob
        part = temporary / blob.name
        save_file(name, commit, file, part, grace_seconds=grace_seconds)
        digest = _digest(part, file)
        if digest != file.digest:
            raise IntegrityError(file.path, file.digest, digest)
        part.replace(blob)
    return blob


def _digest(content: Path, file: HubFile) -> str:
    """Hash a content as the Hub hashed the file."""
    return sha256_of(content) if len(file.digest) == 64 else git_hash(content.read_bytes())


def _link(path: Path, blob: Path) -> None:
    """Make a file of a snapshot: a relative link, or a copy where links are not allowed."""
    with locked(path, wait_seconds=CACHE_WAIT_SECONDS), temporary_folder(path) as temporary:
        part = temporary / path.name
        depth = len(path.relative_to(blob.parents[1]).parents) - 1
        try:
            part.symlink_to(Path(*[".."] * depth, "blobs", blob.name))
        except OSError:  # Windows, for most users
            shutil.copyfile(blob, part)
        part.replace(path)
