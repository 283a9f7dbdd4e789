"""Everything twinvec raises on purpose.

::

    TwinvecError
    ├── ModelError
    │   ├── ModelNotFoundError      no such model, file, or dtype of it here
    │   └── UnsupportedModelError   a graph or tokenizer part twinvec does not speak
    ├── DownloadError               every source of a file failed
    │   └── IntegrityError          a file is not the one that was pinned, recorded or announced
    ├── InferenceError              ONNX Runtime or the tokenizer failed on an input
    ├── SyncUnavailableError        `encode` cannot wait here; `aencode` can
    ├── ParityError                 vectors differ from those recorded with the weights
    ├── ClusterError                a Ray cluster, or a worker of it, does not do its work
    ├── CorpusError                 a file of texts, or a record in it, gives no text
    ├── IndexFormatError            a folder is not an index that this twinvec can read
    └── IndexMismatchError          an index and an embedder do not belong together

Wrong arguments raise the built-in `TypeError` and `ValueError`. What succeeds, but not as one may
believe, is a `UserWarning`: `TruncationWarning`, `ParityWarning`.
"""

__all__ = [
    "ClusterError",
    "CorpusError",
    "DownloadError",
    "IndexFormatError",
    "IndexMismatchError",
    "InferenceError",
    "IntegrityError",
    "ModelError",
    "ModelNotFoundError",
    "ParityError",
    "ParityWarning",
    "SyncUnavailableError",
    "TruncationWarning",
    "TwinvecError",
    "UnsupportedModelError",
]


class TwinvecError(Exception):
    """Base of all errors that twinvec raises on purpose."""


class ModelError(TwinvecError):
    """A model cannot be used."""


class ModelNotFoundError(ModelError):
    """A model, one of its files, or a dtype of it is not there."""


class UnsupportedModelError(ModelError):
    """A model has a part that twinvec does not implement; the message names it."""


class DownloadError(TwinvecError):
    """Every source of a file failed; the message lists what each answered."""


class IntegrityError(DownloadError):
    """A file's hash is not the one that was pinned, recorded or announced by its source."""

    def __init__(self, file: str, expected: str, found: str, way_out: str = "") -> None:
        """Name the file, both hashes, and what to do."""
        way_out = way_out or (
            "Nothing was kept. Something between here and the source altered the file, or it was "
            "replaced there: try again on another network, or update twinvec if it was."
        )
        super().__init__(f"{file}: hash mismatch: expected {expected}, found {found}. {way_out}")
        self.file, self.expected, self.found = file, expected, found


class InferenceError(TwinvecError):
    """ONNX Runtime or the tokenizer failed while running."""


class SyncUnavailableError(TwinvecError):
    """A blocking call is impossible on this runtime at this moment."""


class ClusterError(TwinvecError):
    """Machines that were to embed cannot; the message says what to do."""


class CorpusError(TwinvecError):
    """A file of texts cannot be read; the message names it, and the line of a bad record."""


class IndexFormatError(TwinvecError):
    """A folder is not an index, is damaged, or is one of another version."""


class IndexMismatchError(TwinvecError):
    """An index was built with other settings than the embedder asked to search it."""


class ParityError(TwinvecError):
    """A runtime computes other vectors than those recorded with the weights."""


class TruncationWarning(UserWarning):
    """A text has more tokens than the model takes, and lost its tail."""


class ParityWarning(UserWarning):
    """Vectors are kept that another runtime does not give."""

    def __init__(self) -> None:
        """Say so, and what to take instead."""
        super().__init__(
            "these vectors are of approximate parity: another runtime gives slightly other ones on "
            "the same weights, and may rank otherwise. Of the small dtypes w8, w16 and w8a8 are "
            "exact."
        )
