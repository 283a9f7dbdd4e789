"""Open the embedder that a fingerprint tells of, so that nobody need remember it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinvec.catalog.find import list_weights, resolve
from twinvec.embedder import Embedder
from twinvec.errors import DownloadError, ModelError, ModelNotFoundError
from twinvec.model.dtypes import DERIVED, DTYPES, parity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    name, revision = model or fingerprint["model"], fingerprint["revision"]
    failure: Exception | None = None
    for dtype in _candidates(name, fingerprint["parity"]):
        try:
            _, info = resolve(name, dtype=dtype, revision=revision)
        except (ModelError, DownloadError) as err:
            failure = err
            continue
        if info.weights_sha256(dtype) == fingerprint["weights_sha256"]:
            return Embedder.from_pretrained(
                name,
                dtype=dtype,
                revision=revision,
                max_length=fingerprint["max_length"],
                truncate_dim=fingerprint["dim"],
            )
    raise ModelNotFoundError(
        f"no weights of {name} are those of the index (SHA-256 {fingerprint['weights_sha256']}); "
        "name the folder or model that it was built with: --model"
        + (f". The last one tried: {failure}" if failure else "")
    )


def _candidates(name: str, wanted: str) -> Iterator[str]:
    """Order dtypes of a parity class: cached ones, then those that can be had or made."""
    cached = [one.dtype for one in list_weights() if one.model == name and one.file]
    likely = dict.fromkeys([*cached, "fp32", *DERIVED, *DTYPES])
    return (dtype for dtype in likely if parity(dtype) == wanted)
