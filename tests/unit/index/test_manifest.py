"""`index.json`: read as it was written, and refused where any field is wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from indexes import change_manifest, small_index
from twinvec import Index, IndexFormatError
from twinvec.index.manifest import MAX_MANIFEST_BYTES, Manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an index of precision int8."""
    small_index("int8").save(tmp_path)
    return tmp_path


def test_it_is_read_as_it_was_written(folder: Path) -> None:
    content = (folder / "index.json").read_bytes()
    assert Manifest.from_json(content).to_json() == content


def test_a_tuple_in_a_fingerprint_is_read_as_a_list(tmp_path: Path) -> None:
    Index({"sizes": (1, 2)}, dim=4).save(tmp_path)
    assert Index.load(tmp_path).fingerprint == {"sizes": [1, 2]}


@pytest.mark.parametrize("text", ["[]", "{}", "null", "1", '"x"', "<!doctype html>", ""])
def test_another_file_in_its_place_is_an_error(folder: Path, text: str) -> None:
    (folder / "index.json").write_text(text, encoding="utf-8")
    message = r"index\.json is damaged, or the server sent another page"
    with pytest.raises(IndexFormatError, match=message):
        Index.load(folder)


@pytest.mark.parametrize("version", [1, 9, True, 3.0, "3", None])
def test_another_version_is_an_error(folder: Path, version: Any) -> None:
    change_manifest(folder, version=version)
    message = f"index version {version!r} is not supported.*Build the index again"
    with pytest.raises(IndexFormatError, match=message):
        Index.load(folder)


def as_version_2(folder: Path, *, keep_digest: bool = False) -> None:
    values = json.loads((folder / "index.json").read_bytes()) | {"version": 2}
    if not keep_digest:
        del values["sha256"]
    (folder / "index.json").write_text(json.dumps(values, indent=1), encoding="utf-8")


def test_version_2_is_read_and_written_as_the_present_one(folder: Path) -> None:
    content = (folder / "index.json").read_bytes()
    documents = Index.load(folder).documents()
    as_version_2(folder)
    index = Index.load(folder)
    assert index.documents() == documents
    index.save(folder)
    assert (folder / "index.json").read_bytes() == content


def test_a_digest_in_version_2_is_an_error(folder: Path) -> None:
    as_version_2(folder, keep_digest=True)
    with pytest.raises(IndexFormatError, match=r"index\.json is damaged \(version 2 has no sha256"):
        Index.load(folder)


def test_every_flipped_bit_is_an_error_or_changes_nothing(folder: Path) -> None:
    """A space may become another one; everything else is seen by the digest."""
    content = (folder / "index.json").read_bytes()
    expected = Manifest.from_json(content)
    for bit in range(0, len(content) * 8, 3):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        with suppress(IndexFormatError):
            assert Manifest.from_json(bytes(damaged)) == expected


def test_a_missing_digest_is_an_error(folder: Path) -> None:
    values = json.loads((folder / "index.json").read_bytes())
    del values["sha256"]
    (folder / "index.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(IndexFormatError, match=r"index\.json is damaged \('sha256'\)"):
        Index.load(folder)


HUGE = 10**4000
FIELDS: dict[str, tuple[Any, ...]] = {
    "count": (6, -1, 5.0, True, "5", None, [], HUGE),
    "dim": (71, 0, -1, 70.0, "70", None, HUGE, 1 << 62),
    "precision": ("int4", "float32", None, 8, ["int8"], {}),
    "fingerprint": (None, [], "m", 1),
    "shards": ({}, [], None, "x", {"codes": []}),
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in FIELDS.items() for value in values],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_field_is_an_error(folder: Path, field: str, value: Any) -> None:
    change_manifest(folder, **{field: value})
    with pytest.raises(IndexFormatError, match=r"index\.json is damaged"):
        Index.load(folder)


SHARD_FIELDS: dict[str, tuple[Any, ...]] = {
    "file": ("../x-0123456789abcdef.npy", "", "index.json", None, 1, ["a"]),
    "rows": (4, -5, 5.0, True, "5", None, HUGE),
    "bytes": (0, -1, 1.5, True, "9", None, HUGE, 1 << 60),
    "sha256": ("", "0" * 64, "G" * 64, None, 5),
    "more": (1,),
}


@pytest.mark.parametrize("kind", ["codes", "lines", "postings"])
@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in SHARD_FIELDS.items() for value in values],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_shard_is_an_error(folder: Path, kind: str, field: str, value: Any) -> None:
    shards = json.loads((folder / "index.json").read_bytes())["shards"]
    shards[kind][0][field] = value
    change_manifest(folder, shards=shards)
    with pytest.raises(IndexFormatError, match=r"index\.json is damaged"):
        Index.load(folder)


@pytest.mark.parametrize(
    "kind", ["codes", "scales", "documents", "lines", "ids", "texts", "lengths", "terms"]
)
def test_a_missing_kind_is_an_error(folder: Path, kind: str) -> None:
    shards = json.loads((folder / "index.json").read_bytes())["shards"]
    del shards[kind]
    change_manifest(folder, shards=shards)
    with pytest.raises(IndexFormatError, match=f"kinds are missing or unknown: {kind}"):
        Index.load(folder)


@pytest.mark.parametrize("kind", ["vectors", "bits", "length", "__class__", ""])
def test_an_unknown_kind_is_an_error(folder: Path, kind: str) -> None:
    shards = json.loads((folder / "index.json").read_bytes())["shards"]
    change_manifest(folder, shards={**shards, kind: []})
    with pytest.raises(IndexFormatError, match=f"kinds are missing or unknown: {kind}"):
        Index.load(folder)


def test_it_is_nested_no_deeper_than_pythons_stack(folder: Path) -> None:
    (folder / "index.json").write_bytes(b'{"version":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    with pytest.raises(IndexFormatError, match=r"index\.json is damaged"):
        Index.load(folder)


def test_a_huge_one_is_not_read(folder: Path) -> None:
    with (folder / "index.json").open("wb") as stream:
        stream.truncate(MAX_MANIFEST_BYTES + 1)
    with pytest.raises(IndexFormatError, match=r"index\.json has 67108865 bytes, more than"):
        Index.load(folder)
