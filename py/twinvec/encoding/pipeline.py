"""The pipeline from texts to vectors: tokenize, plan, run, pool, normalize.

One text is one run, without padding. Measured: 48 texts of mixed lengths in one padded run take
over five times as long as 48 runs, and a vector that shares no run does not depend on other texts.
Texts of equal length could share a run without padding. In WebAssembly that saves 5 % at 12 tokens
and nothing from 24 tokens on. Natively it saves half at 12 tokens, where a run mostly waits for
the weights to arrive from memory, and a tenth from 24 tokens on. Few texts are that short.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from twinvec.encoding.pooling import normalize as scale_to_unit
from twinvec.encoding.pooling import pool
from twinvec.encoding.tokenizer import Tokenizer, check_texts
from twinvec.errors import InferenceError, ModelError, TruncationWarning, warn_caller

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from twinvec.encoding.pooling import Pooling
    from twinvec.encoding.tokenizer import Encoding
    from twinvec.runtime.base import Feeds, Outputs, Session, TokenizerCore

Progress: TypeAlias = Callable[[int, int], object]
"""Called with how many items are done, and how many there are."""


class Pipeline:
    """A tokenizer and a session that together turn texts into vectors.

    Args:
        core: the runtime's tokenizer.
        session: the runtime's ONNX session.
        max_length: the most tokens of a text, special tokens included.
        hidden_size: length of a token's vector.
        model: the model's name, for messages.

    Attributes:
        truncated: the number of texts so far that were longer than `max_length` and lost their
            tail.

    Raises:
        ValueError: `max_length` leaves no room for a single token of text.
        ModelError: the session's vectors have another length than `hidden_size`.
    """

    def __init__(
        self,
        core: TokenizerCore,
        session: Session,
        max_length: int,
        *,
        hidden_size: int,
        model: str,
    ) -> None:
        self.core = core
        self.session = session
        self.tokenizer = Tokenizer(core, max_length)
        self.truncated = 0
        self._hidden_size, self._model = hidden_size, model
        self._lock = Lock()
        if session.hidden_size not in (None, hidden_size):
            raise _wrong_size(model, f"vectors of length {session.hidden_size}", hidden_size)

    def with_max_length(self, max_length: int) -> Pipeline:
        """Make a pipeline over the same tokenizer and session with another limit."""
        return Pipeline(
            self.core,
            self.session,
            max_length,
            hidden_size=self._hidden_size,
            model=self._model,
        )

    def encode(
        self,
        texts: Iterable[str],
        *,
        pooling: Pooling,
        prompt: str = "",
        dim: int | None = None,
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Compute one vector for each text.

        Args:
            texts: a list of strings.
            pooling: how the hidden states of a text become one vector.
            prompt: text put before every text.
            dim: the number of leading dimensions to keep; None for all.
            normalize: scale every vector to unit length.
            progress: called after each text; an exception that it raises ends the call.

        Returns:
            float32 [len(texts), dim], in the order of `texts`.

        Raises:
            TypeError: `texts` is not a list of strings, or `prompt` is not a string.
            InferenceError: ONNX Runtime failed, a vector is not finite, or the session is closed.
            ModelError: the vectors have another length than the model's.
            SyncUnavailableError: this runtime cannot wait at this moment; use `aencode`.
        """
        finish = partial(_finish, pooling=pooling, dim=dim, unit=normalize)
        return _stack(self._run(self._call(texts, prompt, finish, progress)), dim)

    async def aencode(
        self,
        texts: Iterable[str],
        *,
        pooling: Pooling,
        prompt: str = "",
        dim: int | None = None,
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Do the same as `encode` without blocking the event loop."""
        finish = partial(_finish, pooling=pooling, dim=dim, unit=normalize)
        return _stack(await self._arun(self._call(texts, prompt, finish, progress)), dim)

    def encode_tokens(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        dim: int | None = None,
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> list[NDArray[np.float32]]:
        """Compute one vector for each token, special tokens included; arguments as in `encode`.

        Returns:
            One float32 [tokens, dim] for each text.
        """
        finish = partial(_finish, pooling=None, dim=dim, unit=normalize)
        return self._run(self._call(texts, prompt, finish, progress))

    async def aencode_tokens(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        dim: int | None = None,
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> list[NDArray[np.float32]]:
        """Do the same as `encode_tokens` without blocking the event loop."""
        finish = partial(_finish, pooling=None, dim=dim, unit=normalize)
        return await self._arun(self._call(texts, prompt, finish, progress))

    def count_tokens(self, texts: Iterable[str]) -> list[int]:
        """Count the tokens of each text, special tokens and a truncated tail included.

        Raises:
            TypeError: `texts` is not a list of strings.
        """
        return [self.tokenizer.count(text) for text in check_texts(texts)]

    def token_ids(self, texts: Iterable[str]) -> list[NDArray[np.int64]]:
        """Tokenize texts as `encode` does: with special tokens, and without a truncated tail.

        Returns:
            One int64 [tokens] for each text.

        Raises:
            TypeError: `texts` is not a list of strings.
        """
        return [self.tokenizer.encode(text).input_ids for text in check_texts(texts)]

    def close(self) -> None:
        """Free the session; the pipeline cannot be used afterwards."""
        self.session.close()

    def runs(self, texts: Iterable[str], prompt: str = "") -> Iterator[Feeds]:
        """Tokenize texts and plan one run for each, when the session is ready for it."""
        for text in texts:
            encoding = self.tokenizer.encode(prompt + text)
            if encoding.truncated:
                self._count_truncated()
            yield _feeds(encoding, self.session.input_names)

    def _call(
        self, texts: Iterable[str], prompt: str, finish: Finish, progress: Progress | None
    ) -> _Call:
        checked = check_texts(texts)
        if not isinstance(prompt, str):
            raise TypeError(f"prompt must be a str, not {type(prompt).__name__}")
        return _Call(
            self.runs(checked, prompt),
            finish,
            len(checked),
            progress,
            hidden_size=self._hidden_size,
            model=self._model,
        )

    def _run(self, call: _Call) -> list[NDArray[np.float32]]:
        with closing(self.session.run(call.runs)) as outputs:
            for hidden in outputs:
                call.take(hidden)
        return call.vectors

    async def _arun(self, call: _Call) -> list[NDArray[np.float32]]:
        async with aclosing(self.session.arun(call.runs)) as outputs:
            async for hidden in outputs:
                call.take(hidden)
        return call.vectors

    def _count_truncated(self) -> None:
        with self._lock:
            self.truncated += 1
            is_first = self.truncated == 1
        if is_first:
            message = (
                f"a text is longer than {self.tokenizer.max_length} tokens and loses its tail. "
                "Split such texts into passages; count_tokens measures them. This warning is shown "
                "once; `truncated` counts every such text."
            )
            warn_caller(TruncationWarning(message))


Finish: TypeAlias = "Callable[[NDArray[np.float32]], NDArray[np.float32]]"
"""Make the hidden states of one text, float32 [tokens, dim], the vectors of that text."""


@dataclass
class _Call:
    """One call of the pipeline, without the waiting: the part that sync and async share.

    A session reads `runs` a little ahead of the run under way and yields its outputs in order, so
    tokenizing and pooling go on during runs.
    """

    runs: Iterator[Feeds]
    finish: Finish
    count: int
    progress: Progress | None
    hidden_size: int
    model: str
    vectors: list[NDArray[np.float32]] = field(default_factory=list)

    def take(self, hidden: Outputs) -> None:
        if hidden.ndim != 3 or len(hidden) != 1 or hidden.shape[2] != self.hidden_size:
            raise _wrong_size(self.model, f"an output of shape {hidden.shape}", self.hidden_size)
        with np.errstate(invalid="ignore", over="ignore"):  # an error says more than a warning
            vectors = self.finish(hidden[0])  # one text is one run
        if not np.isfinite(vectors).all():
            raise InferenceError(
                f"texts[{len(self.vectors)}]: {self.model} computed a vector with NaN or infinite "
                "numbers. Its weights are damaged, or too coarse for this text: load the model "
                "again, or use another dtype."
            )
        self.vectors.append(vectors)
        if self.progress:
            self.progress(len(self.vectors), self.count)


def _wrong_size(model: str, found: str, hidden_size: int) -> ModelError:
    return ModelError(
        f"{model} gives {found}, but the hidden_size in its config.json is {hidden_size}; "
        "configuration and weights belong to different models"
    )


def _feeds(encoding: Encoding, input_names: Iterable[str]) -> Feeds:
    """Shape one encoding as the model's inputs, int64 [1, tokens] each."""
    inputs = {
        "input_ids": encoding.input_ids,
        "attention_mask": np.ones_like(encoding.input_ids),
        "token_type_ids": encoding.token_type_ids,
    }
    return {name: inputs[name][np.newaxis] for name in input_names}


def _finish(
    states: NDArray[np.float32], pooling: Pooling | None, dim: int | None, *, unit: bool
) -> NDArray[np.float32]:
    """Pool, cut to the first dimensions, and normalize the hidden states of one text."""
    vectors = states if pooling is None else pool(states, pooling)
    vectors = vectors[..., :dim]
    return scale_to_unit(vectors) if unit else vectors


def _stack(vectors: list[NDArray[np.float32]], dim: int | None) -> NDArray[np.float32]:
    return np.stack(vectors) if vectors else np.empty((0, dim or 0), np.float32)
