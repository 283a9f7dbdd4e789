"""Vectors of an interrupted run are found by the next one, and by no other model's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexes import DIM, FINGERPRINT, unit_vectors
from twinvec import TwinvecError
from twinvec.index.format import wide_digest
from twinvec.index.writing.journal import HEADER_BYTES, Journal

TEXTS = ["one", "\ud800 two", "three"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A journal with three texts."""
    journal = Journal(tmp_path / "index.part", FINGERPRINT, DIM)
    assert not (tmp_path / "index.part").exists()
    for text, vector in zip(TEXTS, unit_vectors(3), strict=True):
        journal.append([wide_digest(text)], vector[np.newaxis])
    assert journal.find(TEXTS).tolist() == [-1, -1, -1]
    journal.reread()
    assert (journal.vectors(TEXTS[::-1]) == unit_vectors(3)[::-1]).all()
    journal.close()
    return tmp_path / "index.part"


def test_the_next_run_finds_the_vectors(file: Path) -> None:
    journal = Journal(file, FINGERPRINT, DIM)
    assert journal.find(["two", *TEXTS]).tolist() == [-1, 0, 1, 2]
    assert (journal.vectors(TEXTS) == unit_vectors(3)).all()
    assert journal.vectors([]).shape == (0, DIM)
    with pytest.raises(KeyError, match="no vector of the text 'two'"):
        journal.vectors(["one", "two"])
    journal.append([wide_digest("two")], unit_vectors(4)[3:])
    journal.reread()
    assert (journal.vectors(["two"]) == unit_vectors(4)[3:]).all()
    journal.discard()
    assert not file.exists()


def test_an_incomplete_row_is_overwritten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])
    journal = Journal(file, FINGERPRINT, DIM)
    assert journal.find(TEXTS).tolist() == [0, 1, -1]
    journal.append([wide_digest("three")], unit_vectors(3)[2:])
    journal.close()
    assert (Journal(file, FINGERPRINT, DIM).vectors(TEXTS) == unit_vectors(3)).all()


@pytest.mark.parametrize("size", [0, 7, HEADER_BYTES - 1])
def test_an_incomplete_header_is_overwritten(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])
    journal = Journal(file, FINGERPRINT, DIM)
    assert journal.find(TEXTS).tolist() == [-1, -1, -1]
    journal.append([wide_digest("one")], unit_vectors(1))
    journal.close()
    assert Journal(file, FINGERPRINT, DIM).find(TEXTS).tolist() == [0, -1, -1]


def test_vectors_of_another_fingerprint_are_not_found(file: Path) -> None:
    journal = Journal(file, {"model": "other"}, DIM)
    assert journal.find(TEXTS).tolist() == [-1, -1, -1]
    journal.append([wide_digest("one")], unit_vectors(1))
    journal.close()
    assert Journal(file, FINGERPRINT, DIM).find(TEXTS).tolist() == [-1, -1, -1]


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "index.part"
    file.write_bytes(b"half a download")
    with pytest.raises(TwinvecError, match=r"index\.part was not written by twinvec"):
        Journal(file, FINGERPRINT, DIM)
    assert file.read_bytes() == b"half a download"


ROW_BYTES = 16 + DIM * 4 + 8


@pytest.mark.parametrize("at", [0, 15, 16, 16 + DIM * 4 - 1, 16 + DIM * 4, ROW_BYTES - 1])
def test_a_damaged_row_is_not_found(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    assert len(content) == HEADER_BYTES + 3 * ROW_BYTES
    content[HEADER_BYTES + ROW_BYTES + at] ^= 1
    file.write_bytes(content)
    journal = Journal(file, FINGERPRINT, DIM)
    assert [row >= 0 for row in journal.find(TEXTS)] == [True, False, True]
    journal.append([wide_digest(TEXTS[1])], unit_vectors(2)[1:])
    journal.close()
    journal.reread()
    assert (journal.vectors(TEXTS) == unit_vectors(3)).all()


def test_rows_of_zeros_are_not_found(file: Path) -> None:
    """A crash of the machine can leave a longer file whose content was never written."""
    file.write_bytes(file.read_bytes()[:-ROW_BYTES] + bytes(2 * ROW_BYTES))
    journal = Journal(file, FINGERPRINT, DIM)
    assert [row >= 0 for row in journal.find(TEXTS)] == [True, True, False]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_folder_in_its_place_is_refused(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "index.part")
    with pytest.raises(TwinvecError, match=r"index\.part cannot be read .*; move it away"):
        Journal(tmp_path / "index.part", FINGERPRINT, DIM)
