"""The pipeline: texts in, vectors out, the same on every runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np

from twinvec.batching import feeds, waves
from twinvec.folder import EXACT
from twinvec.pooling import normalize, pool, pooling_mode
from twinvec.runtime import open_model
from twinvec.tokenization import Tokenizer, check_texts

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.folder import ModelInfo
    from twinvec.runtime.base import Feeds, Outputs, Session, TokenizerCore

__all__ = ["Embedder"]

OnePerText = Literal["mean", "cls", "first_token", "last_token", "eos"]
Vectors: TypeAlias = "NDArray[np.float32]"
TokenVectors: TypeAlias = "list[NDArray[np.float32]]"


class Embedder:
    """A model, its tokenizer and a session, ready to embed texts.

    Make one with `from_pretrained`. `truncated` counts the texts that lost their tail so far.
    """

    def __init__(
        self, info: ModelInfo, tokenizer: TokenizerCore, session: Session, *, dtype: str
    ) -> None:
        self.info = info
        self.dtype = dtype
        self.truncated = 0
        self._tokenizer = Tokenizer(tokenizer, info.max_length)
        self._session = session

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path | None = None,
        *,
        dtype: str = "fp32",
        revision: str | None = None,
        local_files_only: bool = False,
        cache_dir: Path | str | None = None,
    ) -> Embedder:
        """Open a model.

        In the browser JavaScript loads models, so only what the page has loaded can be opened
        there, and `revision`, `local_files_only` and `cache_dir` have no effect.

        Args:
            model: a Hub name, a local folder in the Transformers.js layout, or None for the
                default: `Xenova/bge-small-en-v1.5`, or, with a warning, the embedded
                all-MiniLM-L6-v2 where the Hub cannot be reached and it is not cached.
            dtype: which weights, a key of `folder.DTYPES`.
            revision: a Hub commit, branch or tag; None for the pinned one, else `main`.
            local_files_only: never ask the network.
            cache_dir: where models are kept; None for `TWINVEC_CACHE`, else the user's cache.

        Raises:
            ModelNotFoundError: there is no such model or dtype.
            DownloadError: the model is not cached, and its source cannot be reached.
            IntegrityError: a file is not the pinned one.
            UnsupportedModelError: the model has a part that twinvec does not implement.
            ValueError: the dtype is unknown.
        """
        info, tokenizer, session = open_model(
            model,
            dtype=dtype,
            revision=revision,
            local_files_only=local_files_only,
            cache_dir=cache_dir,
        )
        return cls(info, tokenizer, session, dtype=dtype)

    @property
    def parity(self) -> Literal["exact", "approximate"]:
        """Whether other runtimes give the same vectors (to 5e-7) on these weights; see `EXACT`."""
        return "exact" if self.dtype in EXACT else "approximate"

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What must be equal for two vectors to be comparable; JSON-ready."""
        files = self.info.files
        return {
            "model": self.info.name,
            "revision": self.info.revision,
            "weights_sha256": files[self.info.weights[self.dtype]]["sha256"],
            "tokenizer_sha256": files["tokenizer.json"]["sha256"],
            "pooling": self.info.pooling,
            "max_length": self.info.max_length,
        }

    @overload
    def encode(
        self, texts: Iterable[str], *, pooling: OnePerText | None = None, normalize: bool = True
    ) -> Vectors: ...
    @overload
    def encode(
        self, texts: Iterable[str], *, pooling: Literal["none"], normalize: bool = True
    ) -> TokenVectors: ...
    def encode(
        self, texts: Iterable[str], *, pooling: str | None = None, normalize: bool = True
    ) -> Vectors | TokenVectors:
        """Embed texts.

        Args:
            texts: a list of strings; a text longer than `info.max_length` tokens loses its tail.
            pooling: `mean`, `cls`, `last_token` or `none`; None for the model's own.
            normalize: scale every vector to unit length.

        Returns:
            float32 [len(texts), dim], in the order of `texts`. With `pooling="none"` a list with
            one float32 [tokens, dim] a text, special tokens included.

        Raises:
            TypeError: `texts` is not a list of strings; the message names the position.
            ValueError: the pooling is unknown.
            InferenceError: ONNX Runtime failed.
            SyncUnavailableError: in the browser, where it cannot wait; use `aencode`.
        """
        steps = self._steps(texts, pooling, normalize)
        try:
            runs = next(steps)
            while True:
                runs = steps.send(self._session.run(runs))
        except StopIteration as done:
            vectors: Vectors | TokenVectors = done.value
            return vectors

    @overload
    async def aencode(
        self, texts: Iterable[str], *, pooling: OnePerText | None = None, normalize: bool = True
    ) -> Vectors: ...
    @overload
    async def aencode(
        self, texts: Iterable[str], *, pooling: Literal["none"], normalize: bool = True
    ) -> TokenVectors: ...
    async def aencode(
        self, texts: Iterable[str], *, pooling: str | None = None, normalize: bool = True
    ) -> Vectors | TokenVectors:
        """Embed texts without blocking the event loop; works on every runtime. See `encode`."""
        steps = self._steps(texts, pooling, normalize)
        try:
            runs = next(steps)
            while True:
                runs = steps.send(await self._session.arun(runs))
        except StopIteration as done:
            vectors: Vectors | TokenVectors = done.value
            return vectors

    def close(self) -> None:
        """Free the session; the embedder cannot be used afterwards."""
        self._session.close()

    def _steps(
        self, texts: Iterable[str], pooling: str | None, unit: bool
    ) -> Generator[list[Feeds], list[Outputs], Vectors | TokenVectors]:
        """Run the pipeline, leaving to the driver how a session is waited for."""
        mode = pooling_mode(self.info.pooling if pooling is None else pooling)
        encodings = map(self._tokenizer.encode, check_texts(texts))
        vectors: list[NDArray[np.float32]] = []
        for wave in waves(encodings):
            self.truncated += sum(encoding.truncated for encoding in wave)
            runs = [feeds(encoding, self._session.input_names) for encoding in wave]
            for run, hidden in zip(runs, (yield runs), strict=True):
                pooled = pool(hidden, run["attention_mask"], mode)
                vectors.extend(map(normalize, pooled) if unit else pooled)
        if mode == "none":
            return vectors
        return np.stack(vectors) if vectors else np.empty((0, self.info.dim), np.float32)
