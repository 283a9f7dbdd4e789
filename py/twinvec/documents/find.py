"""Which files to index: those that are named, found in folders, or matched by globs."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from twinvec.documents.readers import SUFFIXES
from twinvec.errors import CorpusError
from twinvec.index.format import OWN_NAME
from twinvec.site.build import SITE_MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Source", "find_sources"]


@dataclass(frozen=True)
class Source:
    """A file, and its path relative to what the user named, with slashes."""

    file: Path
    name: str


def find_sources(
    named: Iterable[str], *, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[Source]:
    """Find the files to index, in an order that only their names decide.

    A folder stands for the files of known kinds in it and its folders. Left out are links to
    folders, whatever begins with a dot, and what twinvec itself wrote: the files of an index, and
    a site with all that is in it. A file is called by its name, one of a folder by its path in
    that folder, one of a glob by its path from where the first wildcard is.

    Args:
        named: files, folders, and globs with `*`, `**` (any number of folders; at the end, all
            files below), `?` or `[...]`.
        include: patterns of names or paths; a file must match one of them, if there are any.
        exclude: patterns of those to leave out; a folder that matches is left out with all that is
            in it.

    Raises:
        CorpusError: there is no such file, none of a known kind, two would have the same name, or
            a folder cannot be read.
    """
    found: dict[str, Source] = {}
    for place in named:
        for source in sorted(_under(place, exclude), key=lambda source: source.name.split("/")):
            if (include and not _matches(source.name, include)) or _matches(source.name, exclude):
                continue
            other = found.setdefault(source.name, source)
            if other.file.resolve() != source.file.resolve():
                raise CorpusError(
                    f"{other.file} and {source.file} would both be called {source.name}; index the "
                    "folder above them, and choose from it with --include"
                )
    if not found:
        raise CorpusError(
            f"no file to index in {', '.join(named)}; {_known()}, and what twinvec wrote itself is "
            "left out"
        )
    return list(found.values())


def _under(place: str, exclude: Sequence[str]) -> Iterator[Source]:
    path = Path(place)
    if path.is_dir():
        yield from _below(path, ("**",), exclude)
    elif path.exists():
        if path.suffix.lower() not in SUFFIXES:
            raise CorpusError(f"{path}: what it is cannot be told from its name; {_known()}")
        yield Source(path, path.name)
    elif glob.has_magic(place):
        parts = path.parts
        first = next(at for at, part in enumerate(parts) if glob.has_magic(part))
        root = Path(*parts[:first])
        if root.is_dir():
            yield from _below(root, parts[first:], exclude)
    else:
        raise CorpusError(f"{place} is not there")


def _below(root: Path, pattern: Sequence[str], exclude: Sequence[str]) -> Iterator[Source]:
    """Find what matches a glob's parts, without a look at folders in which nothing can."""
    for place, folders, names in os.walk(root, onerror=_stop):
        folder = Path(place)
        if (folder / SITE_MARK).is_file():  # its model, runtime and page are not the user's texts
            folders.clear()
            continue
        below = folder.relative_to(root)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and _fits((*below.parts, name), pattern, partly=True)
            and not _matches((below / name).as_posix(), exclude)
        ]
        for name in names:
            file = folder / name
            known = file.suffix.lower() in SUFFIXES and not OWN_NAME.fullmatch(name)
            fits = not name.startswith(".") and _fits((*below.parts, name), pattern)
            if known and fits and file.is_file():
                yield Source(file, (below / name).as_posix())


def _stop(err: OSError) -> NoReturn:
    """Miss no folder in silence."""
    raise CorpusError(
        f"{err.filename} cannot be read ({err.strerror}); change its permissions, or leave the "
        "folder out by its name: --exclude"
    ) from err


def _fits(parts: Sequence[str], pattern: Sequence[str], *, partly: bool = False) -> bool:
    """Tell whether a path is what a glob means, or (`partly`) something below it can be."""
    if not parts:
        return partly or all(one == "**" for one in pattern)
    if not pattern:
        return False
    if pattern[0] == "**":
        none = _fits(parts, pattern[1:], partly=partly)
        return none or _fits(parts[1:], pattern, partly=partly)
    first = fnmatchcase(parts[0], pattern[0])
    return first and _fits(parts[1:], pattern[1:], partly=partly)


def _matches(path: str, patterns: Iterable[str]) -> bool:
    names = (path, path.rpartition("/")[2])
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _known() -> str:
    return f"known are {', '.join(SUFFIXES)}"
