"""PDF: every page is a section."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pypdf

from twinvec.documents.section import Section, paragraphs_of
from twinvec.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pdf_sections(file: Path, name: str) -> Iterator[Section]:
    """Yield the pages of a PDF file.

    Args:
        file: path of the file.
        name: the file's name in messages.

    Raises:
        FileError: the file is damaged.
        OSError: the file cannot be read.
    """
    try:
        reader = pypdf.PdfReader(file)
        title = (reader.metadata and reader.metadata.title) or ""
        pages = [page.extract_text() for page in reader.pages]
    except OSError:
        raise
    except Exception as err:  # damaged files make pypdf raise many types besides its own
        raise FileError(name, f"not a PDF that can be read ({err})") from err
    headings = (title,) if title else ()
    for number, text in enumerate(pages, 1):
        yield Section(paragraphs_of(text), headings, f"page={number}", title, number)
