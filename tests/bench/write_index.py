"""Write an index of any size, in a process of its own to measure its memory.

Real vectors come first, then the same vectors with noise added, scaled to unit length.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinvec import Document, IndexWriter, normalize

BATCH_ROWS = 10_000
NOISE = 0.5  # length of the noise added to a unit vector


def grown(real: NDArray[np.float32], count: int) -> Iterator[NDArray[np.float32]]:
    """Yield batches of vectors, float32 [n, dim], `count` rows in all."""
    draw = np.random.default_rng(0)
    for start in range(0, count, BATCH_ROWS):
        rows = np.arange(start, min(start + BATCH_ROWS, count))
        batch = real[rows % len(real)]
        noise = draw.standard_normal(batch.shape, dtype=np.float32) / np.float32(
            real.shape[1] ** 0.5
        )
        is_repeated = (rows >= len(real))[:, np.newaxis]
        yield normalize(batch + np.float32(NOISE) * noise * is_repeated)


def main(folder: str, source: str, count: int, options: dict[str, Any]) -> None:
    """Write the index, and print the time, peak memory and size as JSON."""
    setting: dict[str, Any] = json.loads(Path(source).with_suffix(".json").read_text("utf-8"))
    real = np.load(source, mmap_mode="r")
    texts: list[str] = setting["texts"]
    start, written = time.perf_counter(), 0
    with IndexWriter(folder, setting["fingerprint"], dim=real.shape[1], **options) as writer:
        for vectors in grown(real, count):
            numbers = range(written, written + len(vectors))
            documents = [Document(str(i), texts[i % len(texts)], {"n": i}) for i in numbers]
            writer.add(documents, vectors)
            written += len(vectors)
            print(f"  {written:,} of {count:,} written", end="\r", file=sys.stderr, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    size = sum(file.stat().st_size for file in Path(folder).iterdir())
    print(json.dumps({"seconds": time.perf_counter() - start, "peak": peak, "bytes": size}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]))
