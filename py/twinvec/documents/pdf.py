"""PDF: every page is a section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pypdf

from twinvec.documents.section import Section, paragraphs_of, shorten
from twinvec.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Pages may share content, so a small file can describe endless text. pypdf limits each page.
_MAX_CONTENT_BYTES = 1 << 24
_MAX_CONTENT_PER_FILE_BYTE = 20  # compressed text has 3 to 6


def pdf_sections(file: Path, name: str) -> Iterator[Section]:
    """Yield the pages of a PDF file.

    Args:
        file: path of the file.
        name: the file's name in messages.

    Raises:
        FileError: the file is damaged, or its pages unpack to very much more than its size.
        OSError: the file cannot be read.
    """
    limit = _MAX_CONTENT_BYTES + _MAX_CONTENT_PER_FILE_BYTE * file.stat().st_size
    budget = _Budget(name, limit)
    try:
        reader = pypdf.PdfReader(file)
        title = shorten((reader.metadata and reader.metadata.title) or "")
        pages = list(reader.pages)
        for page in pages:
            budget.spend(page.get_contents())
        texts = [_page_text(page, budget) for page in pages]
    except (OSError, FileError):
        raise
    except Exception as err:  # damaged files make pypdf raise many types besides its own
        raise FileError(name, f"not a PDF that can be read ({err})") from err
    headings = (title,) if title else ()
    for number, text in enumerate(texts, 1):
        yield Section(paragraphs_of(text), headings, f"page={number}", title, number)


class _Budget:
    """The bytes of content that may still be read of one file."""

    def __init__(self, name: str, limit: int) -> None:
        self._name, self._limit, self._spent = name, limit, 0

    def spend(self, content: Any) -> None:
        """Count the content of a page or form; None counts nothing.

        Raises:
            FileError: all content so far is more than the limit.
        """
        self._spent += len(content.get_data()) if content is not None else 0
        self.check()

    def check(self) -> None:
        """Raise the error again, which pypdf logs and drops inside a form."""
        if self._spent > self._limit:
            raise FileError(
                self._name,
                f"its pages unpack to more than {self._limit:,} bytes, many times the file's size; "
                "split it, or leave it out",
            )


def _page_text(page: pypdf.PageObject, budget: _Budget) -> str:
    """Extract the text of a page, whose forms may contain each other many times."""
    extract_form_text = page.extract_xform_text

    def extract_counted(form: Any, *args: Any, **options: Any) -> str:
        budget.spend(form)
        return extract_form_text(form, *args, **options)

    page.extract_xform_text = extract_counted  # type: ignore[assignment]
    text = page.extract_text()
    budget.check()
    return text
