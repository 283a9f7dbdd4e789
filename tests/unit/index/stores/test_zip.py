"""One file in place of a folder."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from twinvec import Index
from twinvec.errors import IndexFormatError, IntegrityError


def made(count: int = 3) -> Index:
    index = Index({"model": "m"}, dim=4)
    vectors = np.eye(4, dtype=np.float32)[:count]
    index.add_vectors(
        [f"text {i}" for i in range(count)], vectors, metadata=[{"i": i} for i in range(count)]
    )
    return index


def test_it_is_saved_loaded_and_saved_again(tmp_path: Path) -> None:
    file = tmp_path / "index.ZIP"
    made().save(file)
    index = Index.load(file)
    assert [hit.text for hit in index.search("2", mode="lexical")] == ["text 2"]
    index.add_vectors(["more"], np.eye(4, dtype=np.float32)[3:])
    index.save(file)
    assert len(index.documents()) == len(Index.load(file)) == 4
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_nothing_is_deflated_so_that_a_line_is_read_where_it_lies(tmp_path: Path) -> None:
    made().save(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_what_another_program_packed_is_read(tmp_path: Path) -> None:
    made().save(tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (tmp_path / "folder").iterdir():
            archive.write(file, f"some/folder/{file.name}")
    assert [one.metadata for one in Index.load(tmp_path / "a.zip").documents(1)] == [
        {"i": 1},
        {"i": 2},
    ]


def test_an_exception_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    made().save(tmp_path / "a.zip")
    index = Index.load(tmp_path / "a.zip")
    (tmp_path / "a.zip").rename(tmp_path / "b.zip")
    (tmp_path / "a.zip").write_bytes(b"other")
    with pytest.raises(IndexFormatError, match=r"a\.zip: documents-.*"):
        index.save(tmp_path / "b.zip")
    assert len(Index.load(tmp_path / "b.zip")) == 3
    assert {one.name for one in tmp_path.iterdir()} == {"a.zip", "b.zip"}


def test_what_is_no_archive_of_an_index_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("text", encoding="utf-8")
    with pytest.raises(IndexFormatError, match="cannot be read as a ZIP archive"):
        Index.load(tmp_path / "text.zip")
    with pytest.raises(IndexFormatError, match="cannot be read as a ZIP archive"):
        Index.load(tmp_path / "missing.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(IndexFormatError, match=r"holds 0 files index\.json"):
        Index.load(tmp_path / "empty.zip")


def test_a_missing_and_a_changed_file_are_told(tmp_path: Path) -> None:
    made().save(tmp_path / "folder")
    for name, changed, error in (
        ("missing.zip", None, IndexFormatError),
        ("changed.zip", b"\0" * 400, IntegrityError),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for file in (tmp_path / "folder").iterdir():
                content = changed if file.name.startswith("vectors") else file.read_bytes()
                if content is not None:
                    archive.writestr(file.name, content)
        with pytest.raises(error, match="vectors-"):
            Index.load(tmp_path / name)


def marked(content: bytes, local: int, central: int, value: int) -> bytes:
    """Set a byte of every file's two headers."""
    changed = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = content.find(signature)
        while at >= 0:
            changed[at + offset] = value
            at = content.find(signature, at + 1)
    return bytes(changed)


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]
)
def test_damage_of_any_kind_is_told(tmp_path: Path, compression: int) -> None:
    made().save(tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", compression) as archive:
        for file in sorted((tmp_path / "folder").iterdir()):
            archive.write(file, file.name)
        start = archive.getinfo(next((tmp_path / "folder").glob("vectors-*")).name).header_offset
    whole = (tmp_path / "a.zip").read_bytes()
    for damaged in (
        whole[: start + 70] + b"\xff" * 40 + whole[start + 110 :],
        marked(whole, 6, 8, 1),  # encrypted
        marked(whole, 8, 10, 99),  # packed in a way that nobody knows
        marked(whole, 4, 6, 255),  # of a version of the far future
    ):
        (tmp_path / "a.zip").write_bytes(damaged)
        with pytest.raises((IndexFormatError, IntegrityError)):
            Index.load(tmp_path / "a.zip")
