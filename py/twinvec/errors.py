"""Errors and warnings of twinvec.

::

    TwinvecError
    ├── ModelError
    │   ├── ModelNotFoundError        a model, a file of a model, or a dtype is missing
    │   │   └── WeightsNotFoundError  no dtype of a model has the weights of a fingerprint
    │   └── UnsupportedModelError     a graph or tokenizer has a part that twinvec does not support
    ├── DownloadError                 all origins of a file failed
    │   └── IntegrityError            a file's hash differs from the pinned or recorded hash
    ├── StorageError                  the browser does not let this site keep files
    ├── InferenceError                ONNX Runtime or the tokenizer failed on an input
    ├── SyncUnavailableError          `encode` cannot wait here; `aencode` can
    ├── ParityError                   vectors differ from the reference vectors of the model
    ├── EngineError                   a browser engine does not start, or a script in a page failed
    ├── ClusterError                  a Ray cluster, or one of its workers, failed
    │   └── NoClusterError            no Ray cluster answers
    ├── CorpusError                   files to embed or to index cannot be used
    │   ├── FileError                 a file cannot be used
    │   │   ├── FormatError           a file's suffix names no known format
    │   │   ├── FieldError            no record of a file can have the text field
    │   │   └── RecordError           a record has no text
    │   │       └── RecordFieldError  a record lacks the text field
    │   ├── FolderError               a folder cannot be read
    │   └── NameClashError            two files would have the same name in an index
    ├── IndexFormatError              a folder is not an index that this twinvec can read
    └── IndexMismatchError            an index and an embedder have different fingerprints

Invalid arguments raise the built-in `TypeError` and `ValueError`. `TruncationWarning` and
`ParityWarning` report results that differ from the expected ones.

Messages name the problem and the values involved. They name no command-line option: the command
line adds those (`cli.hints`).
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class TwinvecError(Exception):
    """Base class of all errors that twinvec raises on purpose."""


class ModelError(TwinvecError):
    """A model cannot be used."""


class ModelNotFoundError(ModelError):
    """A model, a file of a model, or a dtype of a model is missing."""


class WeightsNotFoundError(ModelNotFoundError):
    """No dtype of a model has the weights that a fingerprint names."""


class UnsupportedModelError(ModelError):
    """A model has a part that twinvec does not support; the message names the part."""


class DownloadError(TwinvecError):
    """All origins of a file failed; the message lists the failure of each."""


class IntegrityError(DownloadError):
    """A file's hash differs from the pinned, recorded or announced one.

    Attributes:
        file: name of the file.
        expected: SHA-256 that the file should have, lower-case hexadecimal.
        found: SHA-256 that the file has.
    """

    def __init__(self, file: str, expected: str, actual: str, advice: str = "") -> None:
        """Compose the message from the file, both hashes, and the advice."""
        advice = advice or (
            "The file was deleted. A proxy may have altered it, or it was replaced at its origin: "
            "try another network, or a newer twinvec."
        )
        super().__init__(f"{file}: hash mismatch: expected {expected}, found {actual}. {advice}")
        self.file, self.expected, self.found = file, expected, actual


class StorageError(TwinvecError):
    """The browser does not let this site keep files, or has no room for them."""


class InferenceError(TwinvecError):
    """ONNX Runtime or the tokenizer failed on an input."""


class SyncUnavailableError(TwinvecError):
    """A blocking call is impossible on this runtime at this moment."""


class EngineError(TwinvecError):
    """A browser engine does not start or answer, or a script in its page failed."""


class ClusterError(TwinvecError):
    """A Ray cluster, or one of its workers, failed."""


class NoClusterError(ClusterError):
    """No Ray cluster answers at an address."""


class CorpusError(TwinvecError):
    """Files to embed or to index cannot be used; the message names the file."""


class FileError(CorpusError):
    """A file cannot be used.

    Attributes:
        name: the file's name in messages.
        problem: the reason.
        line: number of the line or row, counted from 1; None if the whole file is concerned.
        unit: "line" or "row".
    """

    def __init__(
        self, name: str, problem: str, line: int | None = None, unit: str = "line"
    ) -> None:
        """Compose the message from the file's name, the line and the problem."""
        super().__init__(f"{name if line is None else f'{name}, {unit} {line}'}: {problem}")
        self.name, self.problem, self.line, self.unit = name, problem, line, unit


class FormatError(FileError):
    """A file's suffix names no known format.

    Attributes:
        suffixes: the known suffixes.
    """

    def __init__(self, name: str, suffixes: Iterable[str]) -> None:
        """Compose the message from the file's name and the known suffixes."""
        self.suffixes = tuple(suffixes)
        super().__init__(name, f"unknown format; known suffixes are {', '.join(self.suffixes)}")


class FieldError(FileError):
    """No record of a file can have the text field: the header or schema rules it out."""


class RecordError(FileError):
    """A record of a file has no text."""

    line: int

    def __init__(self, name: str, problem: str, line: int, unit: str = "line") -> None:
        """Compose the message from the record's place and the problem."""
        super().__init__(name, problem, line, unit)


class RecordFieldError(RecordError):
    """A record lacks the text field."""


class FolderError(CorpusError):
    """A folder cannot be read.

    Attributes:
        folder: path of the folder.
        reason: the operating system's message.
    """

    def __init__(self, folder: str, reason: str) -> None:
        """Compose the message from the folder and the reason."""
        super().__init__(
            f"{folder} cannot be read ({reason}); change its permissions, or leave the folder out"
        )
        self.folder, self.reason = folder, reason


class NameClashError(CorpusError):
    """Two files would have the same name in an index.

    Attributes:
        files: both files.
        name: the name.
    """

    def __init__(self, files: tuple[Path, Path], name: str) -> None:
        """Compose the message from both files and their name."""
        super().__init__(
            f"{files[0]} and {files[1]} would both be called {name}; index the folder above them "
            "instead"
        )
        self.files, self.name = files, name


class IndexFormatError(TwinvecError):
    """A folder is not an index, is damaged, or has another format version."""


class IndexMismatchError(TwinvecError):
    """An index and an embedder have different fingerprints."""


class ParityError(TwinvecError):
    """Vectors differ from the reference vectors that were recorded with the model."""


class TruncationWarning(UserWarning):
    """A text has more tokens than the model accepts, and its end was cut off."""


class ParityWarning(UserWarning):
    """Vectors are stored that another runtime does not reproduce."""

    def __init__(self) -> None:
        """Compose the message, which names the exact dtypes."""
        super().__init__(
            "these vectors have approximate parity: another runtime computes slightly different "
            "ones from the same weights, and may rank differently. Of the small dtypes, w8, w16 "
            "and w8a8 are exact."
        )


def warn_caller(warning: Warning) -> None:
    """Warn with the line that called twinvec, however many of its functions lie between."""
    package = warn_caller.__code__.co_filename.removesuffix("errors.py")
    frame, level = sys._getframe(), 1  # noqa: SLF001 (`inspect` takes long to import in the page)
    while frame.f_back and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)
