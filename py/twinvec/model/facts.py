"""Read the JSON files of a model folder, which may come from anyone, and check their types."""

from __future__ import annotations

import json
import os
from collections import UserDict
from typing import TYPE_CHECKING, Any, Self

from twinvec.errors import ModelError, ModelNotFoundError
from twinvec.files.atomic import open_regular

if TYPE_CHECKING:
    from pathlib import Path

MAX_TEXT_BYTES = 1 << 28
"""Largest text file of a model; the largest known `tokenizer.json` has an eighth of it."""


class Facts(UserDict[str, Any]):
    """A JSON object of a model; absent and null facts are equal.

    ::

        Facts.read(folder / "config.json").number("hidden_size")

    Attributes:
        file: the file that has the object.
    """

    def __init__(self, file: Path, value: Any) -> None:
        if not isinstance(value, dict):
            raise ModelError(f"{file}: expected a JSON object, not {type(value).__name__}")
        super().__init__(value)
        self.file = file

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file; errors as of `read_json`."""
        return cls(file, read_json(file))

    @classmethod
    def read_optional(cls, file: Path) -> Self:
        """Read a file; empty if it does not exist."""
        try:
            return cls.read(file)
        except ModelNotFoundError:
            return cls(file, {})

    def number(self, key: str, default: int = 0) -> int:
        """Return a whole number; the default if it is absent.

        Raises:
            ModelError: the fact is not a number.
        """
        value = self.get(key)
        if value is None:
            return default
        try:
            if not isinstance(value, bool | str):
                return int(value)
        except (TypeError, ValueError, OverflowError):
            pass
        raise ModelError(f"{self.file}: {key} must be a number, not {_shortened(value)}")

    def text(self, *keys: str) -> str:
        """Return the text of the first key that is there; "" for none.

        Raises:
            ModelError: the fact is not a text.
        """
        for key in keys:
            value = self.get(key)
            if isinstance(value, str):
                return value
            if value is not None:
                raise ModelError(f"{self.file}: {key} must be a text, not {_shortened(value)}")
        return ""

    def facts(self, key: str) -> Facts:
        """Return an object; empty if it is absent.

        Raises:
            ModelError: the fact is not an object.
        """
        value = self.get(key)
        return Facts(self.file, {} if value is None else value)


def read_json(file: Path) -> Any:
    """Read a JSON file of a model.

    Raises:
        ModelNotFoundError: the file does not exist.
        ModelError: the file cannot be read, or is not JSON.
    """
    try:
        return json.loads(read_text(file))
    except (ValueError, RecursionError) as err:
        raise ModelError(f"{file} is not valid JSON ({err}); delete it and try again") from err


def read_text(file: Path) -> str:
    """Read a text file of a model.

    Raises:
        ModelNotFoundError: the file does not exist.
        ModelError: it is not a file, too large, or not UTF-8.
    """
    try:
        with open_regular(file) as stream:
            if (size := os.fstat(stream.fileno()).st_size) > MAX_TEXT_BYTES:
                raise ModelError(f"{file} has {size:,} bytes; at most {MAX_TEXT_BYTES:,} are read")
            return stream.read().decode()
    except FileNotFoundError as err:
        raise missing_file(file) from err
    except UnicodeDecodeError as err:
        raise ModelError(f"{file} is not UTF-8 ({err}); delete it and try again") from err
    except OSError as err:
        raise ModelError(f"{file} cannot be read ({err.strerror})") from err


def missing_file(file: Path) -> ModelNotFoundError:
    """Make the error of a file that every model has."""
    return ModelNotFoundError(f"{file} is missing from the model folder")


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
