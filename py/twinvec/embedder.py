"""`Embedder`: a model, opened, that turns texts into vectors on every runtime."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from twinvec.catalog.open import find_dtype, open_model
from twinvec.encoding.arguments import whole_number
from twinvec.encoding.pipeline import Pipeline
from twinvec.encoding.pooling import pooling_mode
from twinvec.model.dtypes import parity
from twinvec.model.reference import REFERENCE_POOLING, check_vectors, reference_texts
from twinvec.runtime import IN_BROWSER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from twinvec.encoding.pipeline import Progress
    from twinvec.encoding.pooling import Pooling, PoolingName
    from twinvec.model.info import ModelInfo
    from twinvec.runtime.base import Session, TokenizerCore


class Embedder:
    """A model, its tokenizer and a session, ready to embed texts.

    Open one with `from_pretrained`::

        embedder = Embedder.from_pretrained()
        vectors = embedder.encode(["Hello world.", "I love pandas."])  # float32 [2, 384]

    Args:
        info: facts about the model.
        core: the runtime's tokenizer for the model.
        session: the runtime's session over the weights.
        dtype: the dtype of those weights.
        max_length: see `from_pretrained`.
        truncate_dim: see `from_pretrained`.

    Attributes:
        info: facts about the model, with the limits of this embedder.
        dtype: the dtype of the weights.
        pipeline: the tokenizer and the session.

    Raises:
        TypeError, ValueError: a limit is not a whole number, or above the model's own.
    """

    def __init__(
        self,
        info: ModelInfo,
        core: TokenizerCore,
        session: Session,
        *,
        dtype: str,
        max_length: int | None = None,
        truncate_dim: int | None = None,
    ) -> None:
        self.info = _limited(info, max_length, truncate_dim)
        self.dtype = dtype
        self.pipeline = Pipeline(
            core, session, self.info.max_length, hidden_size=info.dim, model=info.name
        )
        self._model_max_length = info.max_length

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
        self_check: bool | None = None,
    ) -> Embedder:
        """Open a model.

        In the browser JavaScript downloads, verifies and checks models. Only a model of the page
        can be opened there, and `revision`, `local_files_only` and `cache_dir` cannot be set.

        Args:
            model: a Hub name, or a local folder in the Transformers.js layout. None opens
                `Xenova/bge-small-en-v1.5`, or with a warning the embedded all-MiniLM-L6-v2 if the
                Hub cannot be reached; in the browser, the model of the page.
            dtype: the dtype of the weights, a key of `model.dtypes.DTYPES`.
            revision: a Hub commit, branch or tag; None for the pinned one, else `main`.
            local_files_only: never use the network.
            cache_dir: folder of cached models; None for `TWINVEC_CACHE`, else the user's cache.
            max_length: most tokens of a text, special tokens included; None for the model's limit.
            truncate_dim: leading dimensions to keep, for Matryoshka models; None for all.
            self_check: run `check_parity` on one short text. None for yes, except in the browser.

        Raises:
            ModelNotFoundError: the model or dtype does not exist, or is not loaded in the page.
            DownloadError: the model is not cached and cannot be downloaded.
            IntegrityError: a file differs from the pinned one.
            UnsupportedModelError: the model has a part that twinvec does not implement.
            ParityError: the self-check failed.
            TypeError, ValueError: a wrong limit, an unknown dtype, or not an option in the browser.
        """
        info, core, session = open_model(
            model,
            dtype=dtype,
            revision=revision,
            local_files_only=local_files_only,
            cache_dir=cache_dir,
        )
        embedder = cls(
            info, core, session, dtype=dtype, max_length=max_length, truncate_dim=truncate_dim
        )
        if self_check or (self_check is None and not IN_BROWSER):
            embedder.check_parity(count=1)
        return embedder

    @classmethod
    def from_fingerprint(cls, fingerprint: Mapping[str, Any], model: str | None = None) -> Embedder:
        """Open the embedder that has a fingerprint, with the same weights and limits.

        Args:
            fingerprint: an embedder's fingerprint, as an index stores it.
            model: a Hub name or local folder; None for the name in the fingerprint, which for a
                local folder is not its path.

        Raises:
            WeightsNotFoundError: no dtype of the model has these weights.
            DownloadError: the model is not cached and cannot be downloaded.
            ValueError: the fingerprint lacks a field.
        """
        fields = {"model", "revision", "weights_sha256", "max_length", "dim"}
        if missing := sorted(fields.difference(fingerprint)):
            raise ValueError(f"the fingerprint lacks {', '.join(missing)}")
        name = model or fingerprint["model"]
        return cls.from_pretrained(
            name,
            dtype=find_dtype(fingerprint, name),
            revision=fingerprint["revision"],
            max_length=fingerprint["max_length"],
            truncate_dim=fingerprint["dim"],
        )

    @property
    def truncated(self) -> int:
        """The number of texts so far that were longer than `info.max_length`."""
        return self.pipeline.truncated

    @property
    def parity(self) -> Literal["exact", "approximate"]:
        """The parity class of the weights: `exact` if runtimes agree on their vectors."""
        return parity(self.dtype)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """The settings that must be equal for two vectors to be comparable; JSON-ready."""
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

    def encode(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        pooling: PoolingName | None = None,
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Embed texts.

        Args:
            texts: a list of strings. A text longer than `info.max_length` tokens loses its tail;
                the first such text causes a `TruncationWarning`, and `truncated` counts all.
            prompt: text put before every text.
            pooling: `mean`, `cls` or `last_token`; None for the model's own.
            normalize: scale every vector to unit length.
            progress: called after each text with the number of texts done and of all texts; an
                exception that it raises ends the call.

        Returns:
            float32 [len(texts), dim], in the order of `texts`.

        Raises:
            TypeError: `texts` is not a list of strings (the message names the position), or
                `prompt` is not a string.
            ValueError: the pooling is unknown.
            InferenceError: ONNX Runtime failed, a vector is not finite, or the embedder is closed.
            SyncUnavailableError: Python cannot wait in this browser; use `aencode`.
        """
        return self.pipeline.encode(
            texts,
            pooling=self._pooling(pooling),
            prompt=prompt,
            dim=self.info.dim,
            normalize=normalize,
            progress=progress,
        )

    async def aencode(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        pooling: PoolingName | None = None,
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Embed texts without blocking the event loop; works on every runtime. See `encode`."""
        return await self.pipeline.aencode(
            texts,
            pooling=self._pooling(pooling),
            prompt=prompt,
            dim=self.info.dim,
            normalize=normalize,
            progress=progress,
        )

    def encode_tokens(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> list[NDArray[np.float32]]:
        """Embed every token of texts, without pooling; arguments and errors as in `encode`.

        Returns:
            One float32 [tokens, dim] for each text, special tokens included.
        """
        return self.pipeline.encode_tokens(
            texts, prompt=prompt, dim=self.info.dim, normalize=normalize, progress=progress
        )

    async def aencode_tokens(
        self,
        texts: Iterable[str],
        *,
        prompt: str = "",
        normalize: bool = True,
        progress: Progress | None = None,
    ) -> list[NDArray[np.float32]]:
        """Do the same as `encode_tokens` without blocking the event loop."""
        return await self.pipeline.aencode_tokens(
            texts, prompt=prompt, dim=self.info.dim, normalize=normalize, progress=progress
        )

    def encode_query(self, queries: str | Iterable[str]) -> NDArray[np.float32]:
        """Embed one query or a list of queries, each after the model's query prompt.

        Returns:
            float32 [n, dim]; [1, dim] for one query. Errors as in `encode`.
        """
        return self.encode(_as_list(queries), prompt=self.info.query_prompt)

    async def aencode_query(self, queries: str | Iterable[str]) -> NDArray[np.float32]:
        """Do the same as `encode_query` without blocking the event loop."""
        return await self.aencode(_as_list(queries), prompt=self.info.query_prompt)

    def encode_document(
        self, texts: Iterable[str], *, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embed texts to be searched, each after the model's document prompt.

        Returns:
            float32 [len(texts), dim]. Errors as in `encode`.
        """
        return self.encode(texts, prompt=self.info.document_prompt, progress=progress)

    async def aencode_document(
        self, texts: Iterable[str], *, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Do the same as `encode_document` without blocking the event loop."""
        return await self.aencode(texts, prompt=self.info.document_prompt, progress=progress)

    def count_tokens(self, texts: Iterable[str]) -> list[int]:
        """Count the tokens of each text, special tokens and a truncated tail included.

        Raises:
            TypeError: `texts` is not a list of strings.
        """
        return self.pipeline.count_tokens(texts)

    def check_parity(self, *, count: int | None = None) -> float | None:
        """Compare vectors of this runtime with the reference vectors recorded with the weights.

        Args:
            count: number of reference texts to embed; None for all.

        Returns:
            The largest difference in any dimension of unit vectors; None where the model has no
            reference vectors.

        Raises:
            ParityError: the difference is too large for the parity class.
            InferenceError, SyncUnavailableError: as in `encode`.
        """
        texts = reference_texts(self.info, self.dtype)[:count]
        if not texts:
            return None
        vectors = self._unlimited().encode(texts, pooling=REFERENCE_POOLING)
        return check_vectors(self.info, self.dtype, vectors)

    async def acheck_parity(self, *, count: int | None = None) -> float | None:
        """Do the same as `check_parity` without blocking the event loop."""
        texts = reference_texts(self.info, self.dtype)[:count]
        if not texts:
            return None
        vectors = await self._unlimited().aencode(texts, pooling=REFERENCE_POOLING)
        return check_vectors(self.info, self.dtype, vectors)

    def close(self) -> None:
        """Free the session; the embedder cannot be used afterwards."""
        self.pipeline.close()

    def _pooling(self, name: PoolingName | None) -> Pooling:
        return pooling_mode(self.info.pooling if name is None else name)

    def _unlimited(self) -> Pipeline:
        return self.pipeline.with_max_length(self._model_max_length)


def _limited(info: ModelInfo, max_length: int | None, truncate_dim: int | None) -> ModelInfo:
    """Apply limits to a model, or raise an error if one is not within the model's own."""
    limits = {"max_length": (max_length, info.max_length), "truncate_dim": (truncate_dim, info.dim)}
    for name, (limit, maximum) in limits.items():
        if limit is not None and not 1 <= whole_number(limit, name, minimum=None) <= maximum:
            raise ValueError(f"{name} must be between 1 and {maximum} for {info.name}, not {limit}")
    return replace(info, max_length=max_length or info.max_length, dim=truncate_dim or info.dim)


def _as_list(queries: str | Iterable[str]) -> Iterable[str]:
    return [queries] if isinstance(queries, str) else queries
