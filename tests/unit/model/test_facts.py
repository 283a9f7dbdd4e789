"""Files of a model are read with their types checked, and only if they are files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from twinvec.errors import ModelError, ModelNotFoundError
from twinvec.model.facts import MAX_TEXT_BYTES, Facts, read_json, read_text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def test_facts_of_the_right_type_are_read(file: Path) -> None:
    file.write_text('{"a": 3, "b": null, "c": "text", "d": {"e": 1.0}}', encoding="utf-8")
    facts = Facts.read(file)
    assert [facts.number(key, 7) for key in "abx"] == [3, 7, 7]
    assert (facts.text("x", "b", "c"), facts.text("x")) == ("text", "")
    assert (facts.facts("d").number("e"), len(facts.facts("x"))) == (1, 0)


@pytest.mark.parametrize("value", ["3", True, [3], {"a": 3}, float("nan"), float("inf")])
def test_a_number_of_another_type(file: Path, value: Any) -> None:
    with pytest.raises(ModelError, match=r"config\.json: size must be a number, not"):
        Facts(file, {"size": value}).number("size")


def test_a_text_or_object_of_another_type(file: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json: name must be a text, not \["):
        Facts(file, {"name": [1] * 100}).text("name")
    with pytest.raises(ModelError, match="expected a JSON object, not list"):
        Facts(file, {"prompts": []}).facts("prompts")


@pytest.mark.parametrize("content", [b"", b"[]x", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"config\.json is not"):
        read_json(file)


def test_files_that_are_missing_or_no_files(file: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"config\.json is missing"):
        read_text(file)
    assert Facts.read_optional(file) == {}
    with pytest.raises(ModelError, match="not a regular file"):
        Facts.read_optional(file.parent)
    if hasattr(os, "mkfifo"):
        os.mkfifo(file)
        with pytest.raises(ModelError, match="not a regular file"):
            read_text(file)
    with pytest.raises(ModelError, match="not a regular file"):
        read_text(Path(os.devnull))


def test_a_file_that_is_too_large_is_not_read(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(MAX_TEXT_BYTES + 1)
    with pytest.raises(ModelError, match="has 268,435,457 bytes; at most 268,435,456 are read"):
        read_text(file)
