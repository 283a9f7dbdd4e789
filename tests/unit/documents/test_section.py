from __future__ import annotations

from twinvec.documents.section import MAX_HEADING_CHARACTERS, Section, paragraphs_of, shorten


def test_paragraphs_are_split_at_blank_lines() -> None:
    assert paragraphs_of("a\nb\n\n \n\t\nc\n") == ["a\nb", "c\n"]
    assert paragraphs_of(" \n\n") == []


def test_a_section_needs_only_paragraphs() -> None:
    section = Section(["a"])
    assert (section.headings, section.anchor, section.title, section.page) == ((), "", "", None)


def test_a_long_heading_is_shortened() -> None:
    for length in (0, 1, MAX_HEADING_CHARACTERS):
        assert shorten("a" * length) == "a" * length
    assert shorten("a" * 5000) == "a" * (MAX_HEADING_CHARACTERS - 1) + "\u2026"
