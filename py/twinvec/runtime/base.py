"""The seam between the shared pipeline and a runtime: two small protocols.

`native.py` implements them with the `tokenizers` and `onnxruntime` wheels, `pyodide.py` with the
JavaScript objects of `web/workers/model.js`. Everything else is one copy of Python.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from twinvec.errors import UnsupportedModelError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence

Feeds: TypeAlias = Mapping[str, NDArray[np.int64]]
"""One run's inputs by name, int64 [rows, tokens] each."""

Outputs: TypeAlias = NDArray[np.float32]
"""One run's last hidden state, float32 [rows, tokens, dim]."""

INPUT_NAMES = ("input_ids", "attention_mask", "token_type_ids")
_OUTPUT_NAMES = ("last_hidden_state", "token_embeddings")


class TokenizerCore(Protocol):
    """Text to ids, without special tokens, truncation or padding."""

    @property
    def post_processor(self) -> Mapping[str, Any] | None:
        """The `post_processor` of `tokenizer.json`."""

    def encode(self, text: str) -> NDArray[np.integer[Any]]:
        """Tokenize well-formed text into ids, integer [tokens]."""


class Session(Protocol):
    """An ONNX model, ready to run."""

    @property
    def input_names(self) -> Sequence[str]:
        """The names of the graph's inputs."""

    @property
    def hidden_size(self) -> int | None:
        """The length of a token's vector; None where it is known only after a run."""

    def run(self, feeds: Iterable[Feeds]) -> Generator[Outputs]:
        """Run all feeds, as concurrently as the runtime can; yield outputs in the same order.

        `feeds` is read a few runs ahead of the yielded output, so memory does not grow with the
        number of runs. Closing the generator cancels the runs that are still queued.

        Raises:
            InferenceError: ONNX Runtime failed, or the session is closed.
            SyncUnavailableError: this runtime cannot wait at this moment.
        """

    def arun(self, feeds: Iterable[Feeds]) -> AsyncGenerator[Outputs]:
        """Do the same as `run` without blocking the event loop."""

    def close(self) -> None:
        """Free the session's memory; it cannot run afterwards."""


class Run(Protocol):
    """A run that is queued or under way: a future of `concurrent.futures` or `asyncio`."""

    def cancel(self) -> bool:
        """Cancel the run if it is still queued."""


R = TypeVar("R", bound=Run)


def running(feeds: Iterable[Feeds], start: Callable[[Feeds], R], ahead: int) -> Generator[R]:
    """Start runs in order, `ahead` of the run it yields; closing the generator cancels the rest."""
    runs: deque[R] = deque()
    try:
        for run_feeds in feeds:
            runs.append(start(run_feeds))
            if len(runs) > ahead:
                yield runs.popleft()
        while runs:
            yield runs.popleft()
    finally:
        for run in runs:
            run.cancel()


def check_graph(inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """Check the inputs of a graph, and return the name of the output with the hidden states.

    Raises:
        UnsupportedModelError: an input is unknown, or no output has hidden states.
    """
    unknown = [name for name in inputs if name not in INPUT_NAMES]
    if unknown:
        raise UnsupportedModelError(
            f"the model needs an input {unknown[0]!r}; twinvec provides {', '.join(INPUT_NAMES)}"
        )
    for name in _OUTPUT_NAMES:
        if name in outputs:
            return name
    raise UnsupportedModelError(
        f"the model has the outputs {', '.join(outputs)}; twinvec needs "
        f"{' or '.join(_OUTPUT_NAMES)}"
    )
