"""Find the files to index: by name, in folders, or by glob patterns."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from twinvec.documents.readers import READERS
from twinvec.errors import CorpusError, FolderError, FormatError, NameClashError
from twinvec.index.format import OWN_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    SkipFolder = Callable[[Path], bool]


@dataclass(frozen=True)
class Source:
    """A file to index.

    Example:
        >>> Source(Path("docs/guide/setup.md"), "guide/setup.md").name
        'guide/setup.md'
    """

    file: Path
    name: str
    """Path relative to the folder or glob that contains the file, with slashes."""


def find_sources(
    names: Iterable[str],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    skip_folder: SkipFolder,
) -> list[Source]:
    """Find the files to index, in an order that depends on their names only.

    A folder stands for all files of known formats below it. Links to folders, names that begin
    with a dot, and the files of an index are left out. A single file is called by its name, a
    file of a folder by its path in that folder, and a file of a glob by its path from the first
    wildcard on.

    Args:
        names: files, folders, and globs with `*`, `**` (any number of folders; at the end, all
            files below), `?` or `[...]`.
        include: patterns of names or paths; if there are any, a file must match one of them.
        exclude: patterns of names or paths to leave out; a matching folder is left out with all
            its files.
        skip_folder: returns True for a folder to leave out with all its files.

    Raises:
        CorpusError: a file does not exist or has an unknown format, no file was found, two files
            would have the same name, or a folder cannot be read.
    """
    sources: dict[str, Source] = {}
    for name in names:
        candidates = _sources_of(name, exclude, skip_folder)
        for source in sorted(candidates, key=lambda source: source.name.split("/")):
            if (include and not _matches(source.name, include)) or _matches(source.name, exclude):
                continue
            other = sources.setdefault(source.name, source)
            if other.file.resolve() != source.file.resolve():
                raise NameClashError((other.file, source.file), source.name)
    if not sources:
        raise CorpusError(
            f"no file to index in {', '.join(names)}; known suffixes are {', '.join(READERS)}, and "
            "files that twinvec wrote itself are left out"
        )
    return list(sources.values())


def _sources_of(name: str, exclude: Sequence[str], skip_folder: SkipFolder) -> Iterator[Source]:
    """Find the files that one name stands for."""
    path = Path(name)
    if path.is_dir():
        yield from _sources_below(path, ("**",), exclude, skip_folder)
    elif path.exists():
        if path.suffix.lower() not in READERS:
            raise FormatError(str(path), READERS)
        yield Source(path, path.name)
    elif glob.has_magic(name):
        parts = path.parts
        first = next(number for number, part in enumerate(parts) if glob.has_magic(part))
        root = Path(*parts[:first])
        if root.is_dir():
            yield from _sources_below(root, parts[first:], exclude, skip_folder)
    else:
        raise CorpusError(f"{name} does not exist")


def _sources_below(
    root: Path, pattern: Sequence[str], exclude: Sequence[str], skip_folder: SkipFolder
) -> Iterator[Source]:
    """Find the files that match a glob, entering only folders that can contain some."""
    for path, folders, names in os.walk(root, onerror=_raise_folder_error):
        folder = Path(path)
        if skip_folder(folder):
            folders.clear()
            continue
        relative = folder.relative_to(root)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and _fits((*relative.parts, name), pattern, is_prefix=True)
            and not _matches((relative / name).as_posix(), exclude)
        ]
        for name in names:
            file = folder / name
            is_readable = file.suffix.lower() in READERS and not OWN_NAME.fullmatch(name)
            fits = not name.startswith(".") and _fits((*relative.parts, name), pattern)
            if is_readable and fits and file.is_file():
                yield Source(file, (relative / name).as_posix())


def _raise_folder_error(err: OSError) -> NoReturn:
    """Raise instead of skipping a folder silently, as `os.walk` does by default."""
    raise FolderError(str(err.filename), str(err.strerror)) from err


def _fits(parts: Sequence[str], pattern: Sequence[str], *, is_prefix: bool = False) -> bool:
    """Check whether a path matches a glob, or can be the beginning of a matching path."""
    if not parts:
        return is_prefix or all(part == "**" for part in pattern)
    if not pattern:
        return False
    if pattern[0] == "**":
        fits_no_folder = _fits(parts, pattern[1:], is_prefix=is_prefix)
        return fits_no_folder or _fits(parts[1:], pattern, is_prefix=is_prefix)
    fits_first = fnmatchcase(parts[0], pattern[0])
    return fits_first and _fits(parts[1:], pattern[1:], is_prefix=is_prefix)


def _matches(path: str, patterns: Iterable[str]) -> bool:
    names = (path, path.rpartition("/")[2])
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
