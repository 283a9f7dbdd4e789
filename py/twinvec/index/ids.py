"""Document ids, found by their digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twinvec.index.format import text_digest
from twinvec.index.stores.base import read_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twinvec.index.manifest import Manifest
    from twinvec.index.stores.base import Steps


class Ids:
    """Positions by id. Ids of a loaded index are read at the first use.

    Args:
        manifest: of the loaded index, whose documents come first; None for a new index.
    """

    def __init__(self, manifest: Manifest | None = None) -> None:
        self._manifest = manifest
        self._added: dict[int, int] = {}
        self._stored: tuple[NDArray[np.uint64], NDArray[np.intp]] | None = None

    def add(self, document_id: str, position: int) -> None:
        """Add the id of a new document, which may be that of a removed one."""
        self._added[text_digest(document_id)] = position

    def find(self, document_id: str) -> Steps[int | None]:
        """Find the position of a document, removed or not; None for an unknown id."""
        digest = text_digest(document_id)
        if digest in self._added:
            return self._added[digest]
        if self._manifest is None:
            return None
        if self._stored is None:
            digests = yield from read_all(self._manifest, "ids")
            order = np.argsort(digests)
            self._stored = digests[order], order
        digests, order = self._stored
        row = int(np.searchsorted(digests, np.uint64(digest)))
        return int(order[row]) if row < len(digests) and int(digests[row]) == digest else None
