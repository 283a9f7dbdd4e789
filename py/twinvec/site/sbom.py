"""The software bill of materials of a site, in CycloneDX JSON.

It needs the package `cyclonedx-python-lib`::

    python -m twinvec.site.sbom _site/search site.cdx.json
"""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from twinvec.catalog.pins import UNKNOWN_LICENSE
from twinvec.download import sha256_of
from twinvec.site.manifest import SITE_MANIFEST, read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinvec.site.components import Component as SiteComponent


def site_sbom(site: Path) -> str:
    """Describe the components of a site and their files; equal sites give equal texts.

    Raises:
        TwinvecError: the site's manifest cannot be read.
    """
    listed = read_manifest(site)
    serial = uuid.uuid5(uuid.NAMESPACE_URL, sha256_of(site / SITE_MANIFEST))
    bom = Bom(serial_number=serial)
    bom.metadata.timestamp = None  # type: ignore[assignment]  # it would differ each time
    for name, component in listed.components.items():
        hashes = {
            path: facts["sha256"]
            for path, facts in listed.files.items()
            if facts["component"] == name
        }
        bom.components.add(_component(name, component, hashes))
    return JsonV1Dot6(bom).output_as_string(indent=1)


def _component(name: str, facts: SiteComponent, hashes: Mapping[str, str]) -> Component:
    """Describe a component.

    Args:
        name: its name in the manifest.
        facts: its entry in the manifest.
        hashes: path of each of its files -> SHA-256.
    """
    purl = PackageURL.from_string(facts.origin)
    is_model = name == "model"
    stated = [] if facts.license == UNKNOWN_LICENSE else [facts.license]
    return Component(
        name=purl.name if is_model else name,
        version=facts.version or None,
        type=ComponentType.MACHINE_LEARNING_MODEL if is_model else ComponentType.LIBRARY,
        purl=purl,
        licenses=map(LicenseFactory().make_from_string, stated),
        bom_ref=name,
        components=(
            Component(
                name=path,
                type=ComponentType.FILE,
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
                bom_ref=path,
            )
            for path, digest in hashes.items()
        ),
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(site_sbom(Path(sys.argv[1])), encoding="utf-8")
