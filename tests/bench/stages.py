"""Where one call's time goes. Runs in Pyodide, beside the page's own Python."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from twinvec import Embedder
from twinvec.encoding.batching import feeds
from twinvec.encoding.pooling import normalize, pool
from twinvec.runtime.pyodide import _output, js_value

STAGES = ("tokenize", "copy in", "run", "copy out", "pool", "all of aencode")


async def measure(texts: list[str], rounds: int) -> dict[str, list[float]]:
    """Embed the texts one after the other, `rounds` times; the seconds of each stage by round."""
    embedder = Embedder.from_pretrained()
    session: Any = embedder._session
    taken = np.zeros((rounds, len(STAGES)))
    for number in range(rounds):
        for text in texts:
            times = [time.perf_counter()]
            encoding = embedder._tokenizer.encode(text)
            times.append(time.perf_counter())
            inputs = feeds(encoding, session.input_names)
            shape = next(iter(inputs.values())).shape
            flat = {name: array.ravel() for name, array in inputs.items()}
            js_run = js_value({"dims": shape, "inputs": flat})
            times.append(time.perf_counter())
            js_output = await session._js_model.run(js_run, session._output)
            times.append(time.perf_counter())
            hidden = _output(js_output)
            times.append(time.perf_counter())
            (vector,) = pool(hidden, np.ones(hidden.shape[:2], np.int64), "mean")
            normalize(vector)
            times.append(time.perf_counter())
            await embedder.aencode([text])
            times.append(time.perf_counter())
            taken[number] += np.diff(times)
    return dict(zip(STAGES, taken.T.tolist(), strict=True))
