from __future__ import annotations

import numpy as np

from twinvec.index.format import wide_digest
from twinvec.index.writing.text_rows import TextRows


def test_rows_are_found_by_their_texts() -> None:
    texts = [f"text {n}" for n in range(100)]
    digests = np.frombuffer(b"".join(map(wide_digest, texts)), "<u8").reshape(-1, 2)
    rows = TextRows(digests)
    assert len(rows) == 100
    assert rows.find([*texts[::-1], "unknown"]).tolist() == [*range(99, -1, -1), -1]
    assert rows.find([]).tolist() == []
    assert TextRows(digests[:0]).find(["unknown"]).tolist() == [-1]
