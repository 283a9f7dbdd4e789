"""Digests of ids, and the search for a smallest string that differs; no browser."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from twinvec.certify.fuzz import digest_of, smallest


def test_a_digest_is_of_lengths_and_ids() -> None:
    content = struct.pack("<5i", 2, 101, 102, 0, 1) + struct.pack("<i", 7)
    assert digest_of([[101, 102], [], [7]]) == hashlib.sha256(content).hexdigest()
    assert digest_of([[1], [2]]) != digest_of([[1, 2], []])


def test_a_smallest_string_is_found() -> None:
    asked: list[str] = []

    def differs(texts: Sequence[str]) -> list[bool]:
        asked.extend(texts)
        return ["x" in text and "yz" in text for text in texts]

    text = "lorem x ipsum dolor" * 10 + "yz" + "sit amet" * 20
    assert smallest(text, differs) == "xyz"
    assert len(asked) < 500


def test_a_single_character_stays() -> None:
    assert smallest("a", lambda texts: [True] * len(texts)) == "a"
