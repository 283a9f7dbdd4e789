"""`manifest.json` of a site: the hash, component and license of every file that twinvec wrote.

Indexes are not listed: their owners replace them, and each has hashes of its own.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from twinvec.download import sha256_of
from twinvec.errors import TwinvecError
from twinvec.files.atomic import write_file
from twinvec.site.components import Component

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SITE_MANIFEST = "manifest.json"
"""Path of the manifest in a site."""

MANIFEST_VERSION = 1

LISTED_FOLDERS = ("models", "runtime", "workers")
"""Folders of a site in which every file is listed."""

_SHA256_CHARACTERS = 64


class SiteManifest(NamedTuple):
    """Contents of a site's manifest."""

    files: dict[str, dict[str, Any]]
    """Path -> `{"bytes": size, "component": name, "sha256": hash}`."""
    components: dict[str, Component]


class Difference(NamedTuple):
    """A file of a site that is not as its manifest lists it."""

    path: str
    problem: str


def write_manifest(
    site: Path, files: Mapping[str, str], components: Mapping[str, Component]
) -> None:
    """Write the manifest of a site, unless it is unchanged.

    Args:
        site: folder of the site.
        files: path in the site -> name of its component.
        components: name -> component.
    """
    entries = {
        path: {
            "bytes": (site / path).stat().st_size,
            "component": component,
            "sha256": sha256_of(site / path),
        }
        for path, component in files.items()
    }
    content = {
        "version": MANIFEST_VERSION,
        "components": {name: component._asdict() for name, component in components.items()},
        "files": entries,
    }
    text = (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
    target = site / SITE_MANIFEST
    if not target.is_file() or target.read_bytes() != text:
        write_file(target, text)


def read_manifest(site: Path) -> SiteManifest:
    """Read the manifest of a site.

    Raises:
        TwinvecError: the manifest is missing or damaged, or of another version.
    """
    file = site / SITE_MANIFEST
    if not file.is_file():
        raise TwinvecError(f"{file} is missing; build the site again")
    try:
        content = json.loads(file.read_bytes())
        version = content["version"]
        if version != MANIFEST_VERSION:
            raise TwinvecError(
                f"{file} has version {version}, and this twinvec reads {MANIFEST_VERSION}; "
                "build the site again"
            )
        entries = content["components"].items()
        components = {name: _checked_component(**facts) for name, facts in entries}
        entries = content["files"].items()
        files = {_checked_path(path): _checked_facts(facts) for path, facts in entries}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as err:
        raise TwinvecError(
            f"{file} is not the manifest of a site ({type(err).__name__}: {err}); build it again"
        ) from err
    return SiteManifest(files, components)


def compare_site(site: Path) -> Iterator[Difference]:
    """Compare every file of a site with its manifest, and yield those that differ.

    Raises:
        TwinvecError: the manifest cannot be read.
    """
    listed = read_manifest(site).files
    for path, facts in listed.items():
        file = site / path
        if not file.is_file():
            yield Difference(path, "missing")
        elif (size := file.stat().st_size) != facts["bytes"]:
            yield Difference(path, f"altered: expected {facts['bytes']:,} bytes, found {size:,}")
        elif (digest := sha256_of(file)) != facts["sha256"]:
            yield Difference(path, f"altered: expected SHA-256 {facts['sha256']}, found {digest}")
    for folder in LISTED_FOLDERS:
        for file in sorted((site / folder).rglob("*")):
            path = file.relative_to(site).as_posix()
            if not file.is_dir() and path not in listed:
                yield Difference(path, "not listed")


def _checked_component(**facts: Any) -> Component:
    component = Component(**facts)
    if not all(isinstance(fact, str) for fact in component):
        raise TypeError(f"{facts!r} are not facts of a component")
    return component


def _checked_path(path: str) -> str:
    """Return the path of a listed file, if it lies in the site."""
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError(f"{path!r} is not a path in the site")
    return path


def _checked_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    size, component, digest = facts["bytes"], facts["component"], facts["sha256"]
    if not isinstance(size, int) or not isinstance(component, str):
        raise TypeError(f"{facts!r} are not facts of a file")
    if not isinstance(digest, str) or len(digest) != _SHA256_CHARACTERS:
        raise ValueError(f"{digest!r} is not a SHA-256")
    return dict(facts)
