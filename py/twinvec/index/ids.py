"""Which document has an id: digests of ids, those of a loaded index read when first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twinvec.index.format import digest
from twinvec.index.stores.base import read_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twinvec.index.format import Manifest
    from twinvec.index.stores.base import Steps

__all__ = ["Ids"]


class Ids:
    """Positions by id.

    Args:
        manifest: of the index that was loaded, if one was; its documents come first.
    """

    def __init__(self, manifest: Manifest | None = None) -> None:
        self._manifest = manifest
        self._added: dict[int, int] = {}
        self._stored: tuple[NDArray[np.uint64], NDArray[np.intp]] | None = None

    def add(self, name: str, position: int) -> None:
        """Name a new document, or give the id of a removed one to it."""
        self._added[_digest(name)] = position

    def find(self, name: str) -> Steps[int | None]:
        """Find the position, also of a document that was removed; None where there is none."""
        one = _digest(name)
        if one in self._added:
            return self._added[one]
        if self._manifest is None:
            return None
        if self._stored is None:
            ids = yield from read_all(self._manifest, "ids")
            order = np.argsort(ids)
            self._stored = ids[order], order
        ids, order = self._stored
        place = int(np.searchsorted(ids, np.uint64(one)))
        return int(order[place]) if place < len(ids) and int(ids[place]) == one else None


def _digest(name: str) -> int:
    return digest(name.encode("utf-8", "surrogatepass"))
