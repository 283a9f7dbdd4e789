"""The pipeline: texts in, vectors out, the same on every runtime."""

from __future__ import annotations

import operator
import warnings
from contextlib import aclosing, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np

from twinvec.encoding.batching import feeds
from twinvec.encoding.pooling import normalize, pool, pooling_mode
from twinvec.encoding.tokenizer import Tokenizer, check_texts
from twinvec.errors import TruncationWarning
from twinvec.model.dtypes import parity
from twinvec.model.reference import REFERENCE_POOLING, check_vectors, reference_texts
from twinvec.runtime import open_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.encoding.pooling import Pooling
    from twinvec.encoding.tokenizer import Encoding
    from twinvec.model.info import ModelInfo
    from twinvec.runtime.base import Feeds, Outputs, Session, TokenizerCore

    Progress: TypeAlias = Callable[[int, int], object]

__all__ = ["Embedder"]

OnePerText = Literal["mean", "cls", "first_token", "last_token", "eos"]
Vectors: TypeAlias = "NDArray[np.float32]"
TokenVectors: TypeAlias = "list[NDArray[np.float32]]"


class Embedder:
    """A model, its tokenizer and a session, ready to embed texts.

    Make one with `from_pretrained`.
    """

    def __init__(
        self, info: ModelInfo, tokenizer: TokenizerCore, session: Session, *, dtype: str
    ) -> None:
        self.info = info
        self.dtype = dtype
        self.truncated = 0
        """How many texts have lost their tail so far, being longer than `info.max_length`."""
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
        max_length: int | None = None,
        truncate_dim: int | None = None,
        self_check: bool = True,
    ) -> Embedder:
        """Open a model.

        In the browser JavaScript loads and checks models, so only what the page has loaded can be
        opened there, and `revision`, `local_files_only`, `cache_dir` and `self_check` have no
        effect.

        Args:
            model: a Hub name, a local folder in the Transformers.js layout, or None for the
                default: `Xenova/bge-small-en-v1.5`, or, with a warning, the embedded
                all-MiniLM-L6-v2 where the Hub cannot be reached and it is not cached.
            dtype: which weights, a key of `dtypes.DTYPES`.
            revision: a Hub commit, branch or tag; None for the pinned one, else `main`.
            local_files_only: never ask the network.
            cache_dir: where models are kept; None for `TWINVEC_CACHE`, else the user's cache.
            max_length: tokens that a text may have, special ones included; None for the model's
                own limit, which cannot be raised.
            truncate_dim: keep the first so many dims of each vector, for models that were trained
                for it (Matryoshka); None for all.
            self_check: embed one short text and compare, where the model's folder has reference
                vectors; see `selfcheck`.

        Raises:
            ModelNotFoundError: there is no such model or dtype.
            DownloadError: the model is not cached, and its source cannot be reached.
            IntegrityError: a file is not the pinned one.
            UnsupportedModelError: the model has a part that twinvec does not implement.
            ParityError: the self-check failed.
            TypeError: a limit is not a whole number.
            ValueError: the dtype is unknown, or a limit is above the model's own.
        """
        info, tokenizer, session = open_model(
            model,
            dtype=dtype,
            revision=revision,
            local_files_only=local_files_only,
            cache_dir=cache_dir,
        )
        if self_check and (texts := reference_texts(info, dtype)):
            full = cls(info, tokenizer, session, dtype=dtype)
            check_vectors(info, dtype, full.encode(texts[:1], pooling=REFERENCE_POOLING))
        return cls(_limited(info, max_length, truncate_dim), tokenizer, session, dtype=dtype)

    @property
    def parity(self) -> Literal["exact", "approximate"]:
        """Whether other runtimes give the same vectors on these weights; see `model.dtypes`."""
        return parity(self.dtype)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What must be equal for two vectors to be comparable; JSON-ready."""
        info = self.info
        return {
            "model": info.name,
            "revision": info.revision,
            "weights_sha256": info.weights_sha256(self.dtype),
            "tokenizer_sha256": info.files["tokenizer.json"]["sha256"],
            "parity": self.parity,
            "dim": info.dim,
            "pooling": info.pooling,
            "normalize": True,
            "max_length": info.max_length,
            "query_prompt": info.query_prompt,
            "document_prompt": info.document_prompt,
        }

    @overload
    def encode(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        pooling: OnePerText | None = None,
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> Vectors: ...
    @overload
    def encode(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        pooling: Literal["none"],
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> TokenVectors: ...
    def encode(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        pooling: str | None = None,
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> Vectors | TokenVectors:
        """Embed texts.

        Args:
            texts: a list of strings; a text longer than `info.max_length` tokens loses its tail,
                which the first time is a `TruncationWarning`, and is counted in `truncated`.
            prompt: put before every text.
            pooling: `mean`, `cls`, `last_token` or `none`; None for the model's own.
            normalize: scale every vector to unit length.
            progress: called after each text with how many are done, and how many there are; an
                exception of its own ends the call.

        Returns:
            float32 [len(texts), dim], in the order of `texts`. With `pooling="none"` a list with
            one float32 [tokens, dim] a text, special tokens included.

        Raises:
            TypeError: `texts` is not a list of strings; the message names the position. Or
                `prompt` is not a string.
            ValueError: the pooling is unknown.
            InferenceError: ONNX Runtime failed, or the embedder was closed.
            SyncUnavailableError: in the browser, where it cannot wait; use `aencode`.
        """
        call = self._call(texts, prompt, pooling, normalize, progress)
        with closing(self._session.run(call.runs)) as outputs:
            for hidden in outputs:
                call.take(hidden)
        return call.vectors()

    @overload
    async def aencode(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        pooling: OnePerText | None = None,
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> Vectors: ...
    @overload
    async def aencode(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        pooling: Literal["none"],
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> TokenVectors: ...
    async def aencode(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        pooling: str | None = None,
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> Vectors | TokenVectors:
        """Embed texts without blocking the event loop; works on every runtime. See `encode`."""
        call = self._call(texts, prompt, pooling, normalize, progress)
        async with aclosing(self._session.arun(call.runs)) as outputs:
            async for hidden in outputs:
                call.take(hidden)
        return call.vectors()

    def encode_query(self, queries: str | Iterable[str]) -> Vectors:
        """Embed search queries, each behind the model's query prompt.

        Args:
            queries: one query, or a list.

        Returns:
            float32 [n, dim], also of one query: [1, dim]. Raises what `encode` raises.
        """
        return self.encode(_listed(queries), prompt=self.info.query_prompt)

    async def aencode_query(self, queries: str | Iterable[str]) -> Vectors:
        """Do what `encode_query` does, as `aencode` does it."""
        return await self.aencode(_listed(queries), prompt=self.info.query_prompt)

    def encode_document(self, texts: Iterable[str], *, progress: Progress | None = None) -> Vectors:
        """Embed texts that are searched for, each behind the model's document prompt if it has one.

        Returns:
            float32 [len(texts), dim]. Raises what `encode` raises.
        """
        return self.encode(texts, prompt=self.info.document_prompt, progress=progress)

    async def aencode_document(
        self, texts: Iterable[str], *, progress: Progress | None = None
    ) -> Vectors:
        """Do what `encode_document` does, as `aencode` does it."""
        return await self.aencode(texts, prompt=self.info.document_prompt, progress=progress)

    def count_tokens(self, texts: Iterable[str]) -> list[int]:
        """Count the tokens of each text, special ones and those beyond `max_length` included.

        Raises:
            TypeError: as in `encode`.
        """
        return [self._tokenizer.encode(text).full_length for text in check_texts(texts)]

    def close(self) -> None:
        """Free the session; the embedder cannot be used afterwards."""
        self._session.close()

    def _call(
        self,
        texts: Iterable[str],
        prompt: str,
        pooling: str | None,
        unit: bool,
        progress: Progress | None,
    ) -> _Call:
        checked = check_texts(texts)
        mode = pooling_mode(self.info.pooling if pooling is None else pooling)
        if not isinstance(prompt, str):
            raise TypeError(f"prompt must be a str, not {type(prompt).__name__}")
        encodings = self._encodings(checked, prompt)
        runs = (feeds(encoding, self._session.input_names) for encoding in encodings)
        return _Call(runs, len(checked), mode, self.info.dim, unit, progress)

    def _encodings(self, texts: Iterable[str], prompt: str) -> Iterator[Encoding]:
        for text in texts:
            encoding = self._tokenizer.encode(prompt + text)
            if encoding.truncated:
                self._count_truncated()
            yield encoding

    def _count_truncated(self) -> None:
        self.truncated += 1
        if self.truncated == 1:
            warnings.warn(
                f"a text is longer than {self.info.max_length} tokens and loses its tail; cut such "
                "texts into passages (count_tokens measures them). This is said once; `truncated` "
                "goes on counting.",
                TruncationWarning,
                stacklevel=2,
            )


@dataclass
class _Call:
    """One call of `encode` or `aencode`: all but how a session is waited for.

    A session reads `runs` a little ahead of what it is running, and gives its outputs in their
    order, so that tokenizing and pooling go on meanwhile.
    """

    runs: Iterator[Feeds]
    count: int
    mode: Pooling
    dim: int
    unit: bool
    progress: Progress | None
    taken: list[NDArray[np.float32]] = field(default_factory=list)

    def take(self, hidden: Outputs) -> None:
        (pooled,) = pool(hidden, np.ones(hidden.shape[:2], np.int64), self.mode)
        kept = pooled[..., : self.dim]
        self.taken.append(normalize(kept) if self.unit else kept)
        if self.progress:
            self.progress(len(self.taken), self.count)

    def vectors(self) -> Vectors | TokenVectors:
        if self.mode == "none":
            return self.taken
        return np.stack(self.taken) if self.taken else np.empty((0, self.dim), np.float32)


def _limited(info: ModelInfo, max_length: int | None, truncate_dim: int | None) -> ModelInfo:
    """Apply a caller's limits.

    Raises:
        TypeError: a limit is not a whole number.
        ValueError: a limit is not within the model's own.
    """
    asked = {"max_length": (max_length, info.max_length), "truncate_dim": (truncate_dim, info.dim)}
    for name, (limit, most) in asked.items():
        if limit is not None and not 1 <= operator.index(limit) <= most:
            raise ValueError(f"{name} must be between 1 and {most} for {info.name}, not {limit}")
    return replace(info, max_length=max_length or info.max_length, dim=truncate_dim or info.dim)


def _listed(queries: str | Iterable[str]) -> Iterable[str]:
    return [queries] if isinstance(queries, str) else queries
