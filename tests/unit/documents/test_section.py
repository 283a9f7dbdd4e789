from __future__ import annotations

from twinvec.documents.section import Section, paragraphs_of


def test_paragraphs_are_split_at_blank_lines() -> None:
    assert paragraphs_of("a\nb\n\n \n\t\nc\n") == ["a\nb", "c\n"]
    assert paragraphs_of(" \n\n") == []


def test_a_section_needs_only_paragraphs() -> None:
    section = Section(["a"])
    assert (section.headings, section.anchor, section.title, section.page) == ((), "", "", None)
