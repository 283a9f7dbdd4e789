"""A corpus: the passages of many files, as a stream.

Separate from `passages`, which the page imports: reading files is for CPython.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from twinvec.documents.on_error import OnError, raise_error
from twinvec.documents.passages import passages_of
from twinvec.documents.readers import read_sections
from twinvec.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twinvec.documents.chunker import Chunker
    from twinvec.documents.find import Source
    from twinvec.index import Document


def read_passages(
    sources: Iterable[Source],
    chunker: Chunker,
    *,
    field: str = "text",
    url_prefix: str | None = None,
    on_error: OnError = raise_error,
) -> Iterator[Document]:
    """Yield the passages of files as a stream.

    Args:
        sources: the files.
        chunker: cuts their sections.
        field: the field of a record that holds the text.
        url_prefix: put before a file's name to make its URL; None for no URLs.
        on_error: receives a `RecordError` for each record without a text, and another
            `FileError` for each file that cannot be read to its end. When it returns, the record
            or the rest of the file is left out: passages before the error are already yielded.

    Raises:
        FileError: a file or record cannot be read, and `on_error` is the default.
    """
    for source in sources:
        # Quote bytes, since a file name may not be valid UTF-8.
        url = None if url_prefix is None else url_prefix + quote(os.fsencode(source.name))
        sections = read_sections(source.file, source.name, field=field, on_error=on_error)
        try:
            yield from passages_of(sections, chunker, source.name, url)
        except FileError as err:
            on_error(err)
        except OSError as err:
            on_error(FileError(source.name, f"cannot be read ({err.strerror or err})"))
