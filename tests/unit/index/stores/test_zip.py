"""An index as one file."""

from __future__ import annotations

import os
import struct
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from twinvec import Index
from twinvec.errors import IndexFormatError, IntegrityError


def three_documents() -> Index:
    index = Index({"model": "m"}, dim=4)
    vectors = np.eye(4, dtype=np.float32)[:3]
    metadata = [{"i": i} for i in range(3)]
    index.add_vectors([f"text {i}" for i in range(3)], vectors, metadata=metadata)
    return index


def test_it_is_saved_loaded_and_saved_again(tmp_path: Path) -> None:
    file = tmp_path / "index.ZIP"
    three_documents().save(file)
    index = Index.load(file)
    assert [hit.text for hit in index.search("2", mode="lexical")] == ["text 2"]
    index.add_vectors(["more"], np.eye(4, dtype=np.float32)[3:])
    index.save(file)
    assert len(index.documents()) == len(Index.load(file)) == 4
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]


def test_nothing_is_compressed_so_that_lines_are_read_directly(tmp_path: Path) -> None:
    three_documents().save(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_an_archive_packed_by_another_program_is_read(tmp_path: Path) -> None:
    three_documents().save(tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (tmp_path / "folder").iterdir():
            archive.write(file, f"some/folder/{file.name}")
    assert [document.metadata for document in Index.load(tmp_path / "a.zip").documents(1)] == [
        {"i": 1},
        {"i": 2},
    ]


def test_an_exception_leaves_the_present_file(tmp_path: Path) -> None:
    three_documents().save(tmp_path / "a.zip")
    index = Index.load(tmp_path / "a.zip")
    (tmp_path / "a.zip").rename(tmp_path / "b.zip")
    (tmp_path / "a.zip").write_bytes(b"other")
    with pytest.raises(IndexFormatError, match=r"a\.zip: documents-.*"):
        index.save(tmp_path / "b.zip")
    assert len(Index.load(tmp_path / "b.zip")) == 3
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.zip", "b.zip"}


def test_a_file_that_is_no_archive_of_an_index_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("text", encoding="utf-8")
    with pytest.raises(IndexFormatError, match="cannot be read as a ZIP archive"):
        Index.load(tmp_path / "text.zip")
    with pytest.raises(IndexFormatError, match="cannot be read as a ZIP archive"):
        Index.load(tmp_path / "missing.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(IndexFormatError, match=r"holds 0 files index\.json"):
        Index.load(tmp_path / "empty.zip")


def test_a_missing_and_a_changed_file_are_errors(tmp_path: Path) -> None:
    three_documents().save(tmp_path / "folder")
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


def with_header_byte(content: bytes, local: int, central: int, value: int) -> bytes:
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
def test_damage_of_any_kind_is_an_error(tmp_path: Path, compression: int) -> None:
    three_documents().save(tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", compression) as archive:
        for file in sorted((tmp_path / "folder").iterdir()):
            archive.write(file, file.name)
        start = archive.getinfo(next((tmp_path / "folder").glob("vectors-*")).name).header_offset
    whole = (tmp_path / "a.zip").read_bytes()
    for damaged in (
        whole[: start + 70] + b"\xff" * 40 + whole[start + 110 :],
        with_header_byte(whole, 6, 8, 1),  # encrypted
        with_header_byte(whole, 8, 10, 99),  # an unknown compression
        with_header_byte(whole, 4, 6, 255),  # a future version
    ):
        (tmp_path / "a.zip").write_bytes(damaged)
        with pytest.raises((IndexFormatError, IntegrityError)):
            Index.load(tmp_path / "a.zip")


def test_the_same_index_gives_the_same_archive(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        three_documents().save(tmp_path / name)
        os.utime(tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        infos = archive.infolist()
        assert archive.testzip() is None
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)
    assert {(info.date_time, info.external_attr) for info in infos} == {
        ((1980, 1, 1, 0, 0, 0), 0o644 << 16)
    }


def pack(target: Path, folder: Path, changed: Mapping[str, bytes], compression: int) -> None:
    """Pack a folder, with other content for files of a kind."""
    with zipfile.ZipFile(target, "w", compression) as archive:
        for file in sorted(folder.iterdir()):
            kind = file.name.split("-")[0]
            archive.writestr(file.name, changed.get(kind, file.read_bytes()))


@pytest.mark.parametrize("kind", ["index.json", "vectors", "lines"])
def test_no_more_is_unpacked_than_was_promised(tmp_path: Path, kind: str) -> None:
    three_documents().save(tmp_path / "folder")
    bomb = {kind: bytes(100 << 20)}
    pack(tmp_path / "a.zip", tmp_path / "folder", bomb, zipfile.ZIP_DEFLATED)
    assert (tmp_path / "a.zip").stat().st_size < 200_000
    tracemalloc.start()
    try:
        with pytest.raises((IndexFormatError, IntegrityError), match=f"{kind}.*104857600 bytes"):
            Index.load(tmp_path / "a.zip")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_an_archive_that_lies_about_a_size_is_an_error(tmp_path: Path) -> None:
    three_documents().save(tmp_path / "folder")
    size = next((tmp_path / "folder").glob("vectors-*")).stat().st_size
    bomb = {"vectors": bytes(100 << 20)}
    pack(tmp_path / "a.zip", tmp_path / "folder", bomb, zipfile.ZIP_DEFLATED)
    content = (tmp_path / "a.zip").read_bytes()
    lying = content.replace(struct.pack("<L", 100 << 20), struct.pack("<L", size))
    (tmp_path / "a.zip").write_bytes(lying)
    tracemalloc.start()
    try:
        with pytest.raises((IndexFormatError, IntegrityError), match="vectors-"):
            Index.load(tmp_path / "a.zip")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_a_bound_are_refused(tmp_path: Path, compression: int) -> None:
    three_documents().save(tmp_path / "folder")
    pack(tmp_path / "a.zip", tmp_path / "folder", {}, compression)
    with pytest.raises(IndexFormatError, match="pack it again with deflate"):
        Index.load(tmp_path / "a.zip")


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(IndexFormatError, match="not a regular file"):
        Index.load(tmp_path / "a.zip")
