"""Which files to index: those that are named, found in folders, or matched by globs."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from twinvec.errors import CorpusError
from twinvec.readers import SUFFIXES

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

    A folder stands for the files of known kinds in it and its folders, links to folders and
    whatever begins with a dot left out. A file is called by its name, one of a folder by its path
    in that folder, one of a glob by its path from where the first wildcard is.

    Args:
        named: files, folders, and globs with `*`, `**`, `?` or `[...]`.
        include: patterns of names or paths; a file must match one of them, if there are any.
        exclude: patterns of those to leave out.

    Raises:
        CorpusError: there is no such file, none of a known kind, or two would have the same name.
        OSError: a folder cannot be read.
    """
    found: dict[str, Source] = {}
    for place in named:
        for source in sorted(_under(place), key=lambda source: source.name.split("/")):
            if (include and not _matches(source, include)) or _matches(source, exclude):
                continue
            other = found.setdefault(source.name, source)
            if other.file.resolve() != source.file.resolve():
                raise CorpusError(
                    f"{other.file} and {source.file} would both be called {source.name}; index the "
                    "folder above them, and choose from it with --include"
                )
    if not found:
        raise CorpusError(f"no file to index in {', '.join(named)}; {_known()}")
    return list(found.values())


def _under(place: str) -> Iterator[Source]:
    path = Path(place)
    if path.is_dir():
        yield from _in_folder(path)
    elif path.exists():
        if path.suffix.lower() not in SUFFIXES:
            raise CorpusError(f"{path}: what it is cannot be told from its name; {_known()}")
        yield Source(path, path.name)
    elif glob.has_magic(place):
        yield from _globbed(path)
    else:
        raise CorpusError(f"{place} is not there")


def _in_folder(root: Path) -> Iterator[Source]:
    for folder, folders, names in os.walk(root, onerror=_stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(folder, name)
            if not name.startswith(".") and file.suffix.lower() in SUFFIXES and file.is_file():
                yield Source(file, file.relative_to(root).as_posix())


def _stop(err: OSError) -> NoReturn:
    """Miss no folder in silence."""
    raise err


def _globbed(pattern: Path) -> Iterator[Source]:
    parts = pattern.parts
    first = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:first])
    for file in root.glob("/".join(parts[first:])):
        name = file.relative_to(root)
        hidden = any(part.startswith(".") for part in name.parts)
        if not hidden and file.suffix.lower() in SUFFIXES and file.is_file():
            yield Source(file, name.as_posix())


def _matches(source: Source, patterns: Iterable[str]) -> bool:
    names = (source.name, source.file.name)
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _known() -> str:
    return f"known are {', '.join(SUFFIXES)}"
