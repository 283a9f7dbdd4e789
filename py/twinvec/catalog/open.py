"""Open a model on the runtime that this Python runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinvec.errors import ModelNotFoundError
from twinvec.runtime import IN_BROWSER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from twinvec.model.info import ModelInfo
    from twinvec.runtime.base import Session, TokenizerCore


def open_model(
    model: str | Path | None,
    *,
    dtype: str,
    revision: str | None = None,
    local_files_only: bool = False,
    cache_dir: Path | str | None = None,
) -> tuple[ModelInfo, TokenizerCore, Session]:
    """Open a model; arguments and errors as in `Embedder.from_pretrained`."""
    if IN_BROWSER:
        settings = {
            "revision": revision,
            "local_files_only": local_files_only,
            "cache_dir": cache_dir,
        }
        if unusable := [name for name, value in settings.items() if value]:
            raise ValueError(
                f"{' and '.join(unusable)} cannot be set in the browser, where the page has "
                "loaded the model already; leave the argument out"
            )
        from twinvec.catalog.loaded import loaded_model  # imports what only Pyodide has

        return loaded_model(model, dtype)
    from twinvec.catalog.find import find_model  # not in the browser's archive
    from twinvec.runtime.native import NativeSession, NativeTokenizer

    folder, info = find_model(
        model,
        dtype=dtype,
        revision=revision,
        local_files_only=local_files_only,
        cache_dir=cache_dir,
    )
    core = NativeTokenizer(folder / "tokenizer.json")
    return info, core, NativeSession(folder / info.weights[dtype])


def find_dtype(fingerprint: Mapping[str, Any], model: str) -> str:
    """Find the dtype of a model that has the weights of a fingerprint.

    Raises:
        ModelNotFoundError: no dtype of the model has these weights, or this is a browser.
        DownloadError: the model is not cached, and its source cannot be reached.
    """
    if IN_BROWSER:
        raise ModelNotFoundError(
            "a browser cannot search for the weights of a fingerprint; open the model that the "
            "page has loaded with Embedder.from_pretrained(model, dtype=...)"
        )
    from twinvec.catalog.find import find_dtype  # not in the browser's archive

    return find_dtype(fingerprint, model)
