"""The bill of materials of the demo site."""

from __future__ import annotations

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from conftest import DIST
from twinvec.site.manifest import read_manifest
from twinvec.site.sbom import site_sbom


def test_it_is_valid_and_lists_every_file() -> None:
    text = site_sbom(DIST)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = {entry["name"]: entry for entry in json.loads(text)["components"]}
    listed = read_manifest(DIST)
    assert set(components) == {*listed.components, "all-MiniLM-L6-v2"} - {"model"}
    assert components["all-MiniLM-L6-v2"]["type"] == "machine-learning-model"
    hashes = {
        file["name"]: file["hashes"][0]["content"]
        for entry in components.values()
        for file in entry["components"]
    }
    assert hashes == {path: facts["sha256"] for path, facts in listed.files.items()}
    assert components["numpy"]["purl"].startswith("pkg:pypi/numpy@2.4.3")
    assert components["pyodide"]["licenses"][0]["expression"].startswith("MPL-2.0 AND ")


def test_the_same_site_gives_the_same_text() -> None:
    assert site_sbom(DIST) == site_sbom(DIST)
