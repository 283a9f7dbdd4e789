"""CPython: the tokenizer and the session, over the `tokenizers` and `onnxruntime` wheels."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer as RustTokenizer

from twinvec.errors import InferenceError, ModelError, ModelNotFoundError
from twinvec.runtime.base import check_graph, running

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.runtime.base import Feeds, Outputs


class NativeTokenizer:
    """Hugging Face `tokenizers` over a `tokenizer.json`."""

    def __init__(self, file: Path) -> None:
        try:
            content = file.read_text(encoding="utf-8")
            facts = json.loads(content)
        except FileNotFoundError as err:
            raise ModelNotFoundError(f"{file} is missing from the model's folder") from err
        except (ValueError, RecursionError) as err:
            raise ModelError(f"{file} is not valid JSON ({err}); delete it and try again") from err
        except OSError as err:
            raise ModelError(f"{file} cannot be read: {err}") from err
        if not isinstance(facts, dict):
            raise ModelError(f"{file}: expected a JSON object, not {type(facts).__name__}")
        self.post_processor: Mapping[str, Any] | None = facts.get("post_processor")
        try:
            self._rust = RustTokenizer.from_str(content)
        except Exception as err:  # the Rust binding raises bare Exception
            raise ModelError(f"{file} cannot be read as a tokenizer: {err}") from err
        self._rust.no_truncation()
        self._rust.no_padding()

    def encode(self, text: str) -> NDArray[np.int64]:
        """Tokenize one text; int64 [tokens]."""
        try:
            return np.array(self._rust.encode(text, add_special_tokens=False).ids, dtype=np.int64)
        except BaseException as err:
            # The Rust binding raises bare Exception, and for a panic a class that is none.
            if isinstance(err, Exception) or type(err).__name__ == "PanicException":
                raise InferenceError(f"the tokenizer failed: {err}") from err
            raise


class NativeSession:
    """One single-threaded ONNX Runtime session, called from a pool of threads.

    ONNX Runtime releases the GIL during a run, so runs of one text each use all cores. Several
    threads may use a session at once, and so may the children that a process forks.
    """

    def __init__(self, file: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self._ort = ort.InferenceSession(
                file, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as err:  # the pybind classes share no base but Exception
            raise ModelError(f"ONNX Runtime cannot load {file}: {err}") from err
        self.input_names = [node.name for node in self._ort.get_inputs()]
        outputs = {node.name: node.shape for node in self._ort.get_outputs()}
        self._output = check_graph(self.input_names, list(outputs))
        size = (outputs[self._output] or [None])[-1]
        self.hidden_size = size if isinstance(size, int) else None
        workers = os.cpu_count() or 1
        if hasattr(os, "sched_getaffinity"):  # a container may allow fewer cores
            workers = len(os.sched_getaffinity(0))
        self._workers = workers
        self._ahead = 4 * workers  # enough to keep all threads busy during one long run
        self._closed = False
        self._make_pool()

    def run(self, feeds: Iterable[Feeds]) -> Generator[Outputs]:
        """Run all feeds on the pool; see `Session.run`."""
        process = os.getpid()
        with closing(running(feeds, self._start, self._ahead)) as runs:
            for run in runs:
                if os.getpid() != process:  # nobody works on runs that were begun before a fork
                    raise InferenceError("this process was forked during the call; call again")
                yield run.result()

    async def arun(self, feeds: Iterable[Feeds]) -> AsyncGenerator[Outputs]:
        """Run all feeds on the pool without blocking the event loop."""
        with closing(running(feeds, self._start, self._ahead)) as runs:
            for run in runs:
                yield await asyncio.wrap_future(run)

    def close(self) -> None:
        """Wait for the runs under way, end the threads and free the memory of the weights."""
        self._follow_fork()
        with self._lock:
            self._closed = True
        self._threads.shutdown()
        self._ort = None

    def _make_pool(self) -> None:
        self._process = os.getpid()
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="twinvec")

    def _follow_fork(self) -> None:
        """Make a new pool in a forked process, which has none of the threads."""
        if self._process != os.getpid():
            self._make_pool()

    def _start(self, feeds: Feeds) -> Future[Outputs]:
        self._follow_fork()
        with self._lock:
            if self._closed:
                raise InferenceError("this embedder was closed; open the model again")
            try:
                return self._threads.submit(self._run_feeds, feeds)
            except RuntimeError as err:
                raise InferenceError(f"no thread can be started: {err}") from err

    def _run_feeds(self, feeds: Feeds) -> Outputs:
        try:
            (hidden,) = self._ort.run([self._output], dict(feeds))
            return np.asarray(hidden, dtype=np.float32)
        except Exception as err:  # as above
            raise InferenceError(f"ONNX Runtime failed: {err}") from err
