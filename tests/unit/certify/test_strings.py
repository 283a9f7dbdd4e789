"""Random strings cover Unicode, and are the same every time."""

from __future__ import annotations

from twinvec.certify.strings import BLOCKS, LOOK_ALIKES, random_strings


def test_they_are_the_same_for_the_same_seed() -> None:
    assert random_strings(50, "0 1") == random_strings(50, "0 1")
    assert random_strings(50, "0 1") != random_strings(50, "0 2")


def test_they_cover_every_block_and_look_alikes() -> None:
    strings = random_strings(5000, specials=["[MY_TOKEN]"])
    assert len(set(strings)) > 4500
    for first, last in BLOCKS:
        assert any(first <= ord(character) <= last for text in strings for character in text)
    for piece in (*LOOK_ALIKES, "[MY_TOKEN]"):
        assert any(piece in text for text in strings)
    assert any(len(text) > 500 and " " not in text for text in strings)


def test_blocks_are_all_of_unicode() -> None:
    assert BLOCKS[0][0] == 0
    assert BLOCKS[-1][1] == 0x10FFFF
    ends = [last + 1 for _, last in BLOCKS[:-1]]
    assert all(first <= end for (first, _), end in zip(BLOCKS[1:], ends, strict=True))
