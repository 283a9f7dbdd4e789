"""The seam between the shared pipeline and a runtime: two small protocols.

`native.py` fills them with the `tokenizers` and `onnxruntime` wheels, `pyodide.py` with the
JavaScript objects of `web/host.js`. Everything else is one copy of Python.
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

__all__ = ["INPUT_NAMES", "Feeds", "Outputs", "Session", "TokenizerCore", "check_graph", "running"]

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
        """The `post_processor` block of `tokenizer.json`."""

    def encode(self, text: str) -> NDArray[np.integer[Any]]:
        """Tokenize well-formed text into ids, integer [tokens]."""


class Session(Protocol):
    """An ONNX model, ready to run."""

    @property
    def input_names(self) -> Sequence[str]:
        """The inputs that the graph asks for."""

    def run(self, feeds: Iterable[Feeds]) -> Generator[Outputs]:
        """Run all feeds, as concurrently as the runtime can; outputs come in their order.

        `feeds` is read a few runs ahead of the output that is given, and no further: memory does
        not grow with their number. Runs that have not begun when the iterator is closed never do.

        Raises:
            InferenceError: ONNX Runtime failed.
            SyncUnavailableError: this runtime cannot wait at this moment.
        """

    def arun(self, feeds: Iterable[Feeds]) -> AsyncGenerator[Outputs]:
        """Like `run`, without blocking the event loop."""

    def close(self) -> None:
        """Free what the session holds; it cannot run afterwards."""


class Run(Protocol):
    """A run under way: a future of `concurrent.futures` or `asyncio`."""

    def cancel(self) -> bool:
        """Do not begin, if it has not."""


R = TypeVar("R", bound=Run)


def running(feeds: Iterable[Feeds], start: Callable[[Feeds], R], ahead: int) -> Generator[R]:
    """Start runs in order, `ahead` of the one that is given; closing it cancels those."""
    runs: deque[R] = deque()
    try:
        for feed in feeds:
            runs.append(start(feed))
            if len(runs) > ahead:
                yield runs.popleft()
        while runs:
            yield runs.popleft()
    finally:
        for run in runs:
            run.cancel()


def check_graph(inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """Check that a graph's inputs are known, and choose the output to read.

    Raises:
        UnsupportedModelError: an input is unknown, or no output holds hidden states.
    """
    unknown = [name for name in inputs if name not in INPUT_NAMES]
    if unknown:
        raise UnsupportedModelError(
            f"the model asks for input {unknown[0]!r}; twinvec gives {', '.join(INPUT_NAMES)}"
        )
    for name in _OUTPUT_NAMES:
        if name in outputs:
            return name
    raise UnsupportedModelError(
        f"the model gives {', '.join(outputs)}; twinvec reads {' or '.join(_OUTPUT_NAMES)}"
    )
