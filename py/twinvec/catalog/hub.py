"""Download files from the Hugging Face Hub in bounded time, and check each by the Hub's own hash.

Only `model_info` and `hf_hub_download` use the network: `snapshot_download` lists a repository
without a timeout, and its errors do not name the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import (
    HfApi,
    constants,
    hf_hub_download,
    scan_cache_dir,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.sha import git_hash
from huggingface_hub.utils.tqdm import tqdm

from twinvec.download import discard, sha256_of
from twinvec.errors import DownloadError, IntegrityError, ModelNotFoundError
from twinvec.model.dtypes import onnx_path, weights_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from huggingface_hub.hf_api import ModelInfo, RepoSibling

_COMMIT = re.compile("[0-9a-f]{40}")
_MAX_SIZES_RECEIVED = 3
"""A download fails when so many times the file's size has arrived."""


def from_hub(
    name: str,
    revision: str,
    dtype: str,
    files: Sequence[str],
    optional: Sequence[str] = (),
    *,
    local_files_only: bool,
    cache: Path,
) -> Path:
    """Find a model's files in the cache, else download and check them.

    Args:
        name: `owner/name`.
        revision: a commit, branch or tag.
        dtype: which weights; external data that belong to them are downloaded too.
        files: paths of other files that must exist.
        optional: paths of files that are downloaded if the Hub has them.
        local_files_only: never use the network.
        cache: the cache folder.

    Returns:
        The folder of this revision.

    Raises:
        ModelNotFoundError: the model, its revision or a file does not exist.
        DownloadError: a file is not cached, and cannot be downloaded.
        IntegrityError: a file's hash is not the one that the Hub announces; it is not kept.
    """
    weights = onnx_path(dtype)
    needed = [weights, *files]
    # Only the Hub knows which optional files exist: this marker records that none is missing.
    marker = f"{weights}.complete"
    cached = _cached_folder(name, revision, [*needed, marker] if optional else needed, cache)
    if cached:
        return cached
    if local_files_only:
        raise DownloadError(f"{name} is not in the cache at {cache}, and downloading is off")
    info = _announced(name, revision)
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    for path in needed:
        if path not in siblings:
            raise ModelNotFoundError(f"{name} has no {path} on the Hub at {revision}")
    for path in dict.fromkeys([*files, *optional, *weights_parts(dtype, siblings)]):
        if path in siblings:
            folder = _download(name, revision, siblings[path], info.sha, cache)
    if optional:
        (folder / marker).touch()
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


def _cached_folder(name: str, revision: str, needed: Sequence[str], cache: Path) -> Path | None:
    """Return the cached folder of a revision; None where a needed file is not cached."""
    try:
        folder = Path(
            snapshot_download(
                name,
                revision=revision,
                cache_dir=cache / "hub",
                allow_patterns=list(needed),
                local_files_only=True,
            )
        )
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as err:
        raise ModelNotFoundError(
            f"{name!r} is not a model name of the form 'owner/name': {err}"
        ) from err
    return folder if all((folder / path).is_file() for path in needed) else None


def _announced(name: str, revision: str) -> ModelInfo:
    """Ask the Hub for a revision's commit and its files' hashes."""
    try:
        info = HfApi().model_info(
            name, revision=revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as err:
        raise ModelNotFoundError(f"the Hub does not have {name} at {revision}: {err}") from err
    except Exception as err:  # classes of its HTTP library, which changed between releases
        raise DownloadError(f"the Hugging Face Hub cannot be reached ({err})") from err
    if _COMMIT.fullmatch(revision) and info.sha != revision:
        raise IntegrityError(f"the revision of {name}", revision, str(info.sha))
    return info


def _download(
    name: str, revision: str, sibling: RepoSibling, commit: str | None, cache: Path
) -> Path:
    """Download one file into the cache and check it; return the folder of its revision."""
    path = sibling.rfilename
    try:
        file = Path(
            hf_hub_download(
                name, path, revision=revision, cache_dir=cache / "hub", tqdm_class=_BoundedProgress
            )
        )
    except Exception as err:  # as above
        # Its message is "check your connection", whatever the cause.
        reason = err.__cause__ if isinstance(err, LocalEntryNotFoundError) else err
        raise DownloadError(
            f"{path} of {name} cannot be downloaded ({' '.join(str(reason).split())}); "
            "try again later"
        ) from err
    folder = file.parents[path.count("/")]
    if sibling.lfs:
        expected, digest = sibling.lfs.sha256, sha256_of(file)
    else:
        expected, digest = sibling.blob_id or "none announced", git_hash(file.read_bytes())
    if folder.name != commit:
        path, expected, digest = f"the revision of {path}", str(commit), folder.name
    if digest != expected:
        discard(file)
        raise IntegrityError(path, expected, digest)
    return folder


class _BoundedProgress(tqdm):
    """A progress bar that stops an endless download.

    `hf_hub_download` resets its count of retries whenever data arrives, so it would never give up
    on a server that interrupts each transfer and then starts the file over. Its progress bar is the
    only code of ours that runs during a download, hence the check is here.
    """

    _received = 0.0

    def update(self, n: float | None = 1) -> bool | None:
        """Count the bytes received, and show them."""
        self._received += max(n or 0, 0)
        if self.total and self._received > _MAX_SIZES_RECEIVED * self.total:
            raise OSError("the download was interrupted too many times")
        return super().update(n)
