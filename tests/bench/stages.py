"""The time of each stage of a call. Runs in Pyodide, beside the page's own Python."""

from __future__ import annotations

import time

import numpy as np

from twinvec import Embedder
from twinvec.encoding.pooling import normalize, pool
from twinvec.runtime.base import check_graph
from twinvec.runtime.pyodide import from_js_output, page_host, to_js_run

STAGES = ("tokenize", "copy in", "run", "copy out", "pool", "all of aencode")


async def measure(texts: list[str], rounds: int) -> dict[str, list[float]]:
    """Embed the texts one by one, `rounds` times; return the seconds of each stage by round."""
    embedder = Embedder.from_pretrained()
    (js_model,) = page_host().models
    output_name = check_graph(js_model.inputNames.to_py(), js_model.outputNames.to_py())
    seconds = np.zeros((rounds, len(STAGES)))
    for number in range(rounds):
        for text in texts:
            times = [time.perf_counter()]
            (feeds,) = embedder.pipeline.runs([text])
            times.append(time.perf_counter())
            js_run = to_js_run(feeds)
            times.append(time.perf_counter())
            js_output = await js_model.run(js_run, output_name)
            times.append(time.perf_counter())
            (states,) = from_js_output(js_output)
            times.append(time.perf_counter())
            normalize(pool(states, "mean"))
            times.append(time.perf_counter())
            await embedder.aencode([text])
            times.append(time.perf_counter())
            seconds[number] += np.diff(times)
    return dict(zip(STAGES, seconds.T.tolist(), strict=True))
