"""Rows of an array, found by the texts that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twinvec.index.format import wide_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class TextRows:
    """Row numbers by text.

    Args:
        digests: wide digest of the text of each row, uint64 [n, 2].
    """

    def __init__(self, digests: NDArray[np.uint64]) -> None:
        self._order = np.lexsort((digests[:, 1], digests[:, 0]))
        self._sorted = digests[self._order]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._sorted)

    def find(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Find the row of each text; int64 [len(texts)], -1 for an unknown text."""
        rows = np.full(len(texts), -1, np.int64)
        if not len(self):
            return rows
        digests = np.frombuffer(b"".join(map(wide_digest, texts)), "<u8").reshape(-1, 2)
        nearest = np.minimum(np.searchsorted(self._sorted[:, 0], digests[:, 0]), len(self) - 1)
        same = (self._sorted[nearest] == digests).all(axis=1)
        rows[same] = self._order[nearest[same]]
        return rows
