"""Open the embedder of a fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinvec.catalog.find import find_dtype
from twinvec.embedder import Embedder
from twinvec.errors import ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["reopen"]


def reopen(fingerprint: Mapping[str, Any], model: str | None = None) -> Embedder:
    """Find a model's dtype by the hash of its weights, and open it with the same limits.

    Args:
        fingerprint: of the embedder that is looked for, as an index has it.
        model: where it is; None for the name in the fingerprint, which of a local folder is not
            enough.

    Raises:
        ModelNotFoundError: no dtype of the model has these weights.
        DownloadError: the model is not cached, and its source cannot be reached.
    """
    try:
        dtype = find_dtype(fingerprint, model)
    except ModelNotFoundError as err:
        raise ModelNotFoundError(f"{err}: --model") from err
    return Embedder.from_pretrained(
        model or fingerprint["model"],
        dtype=dtype,
        revision=fingerprint["revision"],
        max_length=fingerprint["max_length"],
        truncate_dim=fingerprint["dim"],
    )
