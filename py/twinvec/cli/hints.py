"""The table of hints: the option that helps after an error of the library.

Messages of the library name no command-line options. The command line appends the hints of an
error's class and base classes, if the command that failed has the option.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinvec.documents.records.formats import FORMATS
from twinvec.errors import (
    FieldError,
    FileError,
    FolderError,
    FormatError,
    NameClashError,
    NoClusterError,
    RecordError,
    RecordFieldError,
    WeightsNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

_FIELD = ("--field", "To choose a field: --field NAME")
_EXCLUDE = ("--exclude", "To leave out files and folders: --exclude PATTERN")

HINTS: Mapping[type[Exception], tuple[str, str]] = {
    FieldError: _FIELD,
    FileError: _EXCLUDE,
    FolderError: _EXCLUDE,
    FormatError: ("--format", f"To name the format: --format {'|'.join(FORMATS)}"),
    NameClashError: ("--include", "To choose files by their names: --include PATTERN"),
    NoClusterError: ("--address", "To name the cluster: --address HOST:PORT"),
    RecordError: ("--on-error", "To leave out such records: --on-error skip"),
    RecordFieldError: _FIELD,
    WeightsNotFoundError: ("--model", "To name the model or folder: --model NAME"),
}
"""Class of an error -> an option, and the line that explains it."""


def message_with_hints(err: Exception, command: click.Command) -> str:
    """Compose the message of an error that a command raised, with its hints on lines below."""
    options = {option for parameter in command.params for option in parameter.opts}
    hints = [HINTS[error_type] for error_type in type(err).__mro__ if error_type in HINTS]
    lines = [line for option, line in hints if option in options]
    return "\n  ".join([f"{type(err).__name__}: {err}", *lines])
