"""Open the store of an index by its location."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.index.stores.folder import FolderStore
from twinvec.index.stores.zip import ZipStore, is_archive
from twinvec.runtime import IN_BROWSER

if TYPE_CHECKING:
    from twinvec.index.stores.base import ByteProgress, Store


def open_store(location: Path | str, progress: ByteProgress | None) -> Store:
    """Open a folder, a `.zip` archive or a URL; in the browser also `stored:` and a name.

    Args:
        location: of the index.
        progress: called with the bytes of whole shards read so far, and their total.

    Raises:
        IndexFormatError: an archive cannot be read, or does not hold exactly one index.
    """
    urls = ("http://", "https://", *(["stored:"] if IN_BROWSER else []))
    if not str(location).startswith(urls):
        store = ZipStore if is_archive(location) else FolderStore
        return store(Path(location), progress)
    if IN_BROWSER:
        from twinvec.index.stores.browser import BrowserStore  # needs Pyodide

        return BrowserStore(str(location), progress)
    from twinvec.index.stores.url import UrlStore  # start-up: the browser never needs it

    return UrlStore(str(location), progress)
