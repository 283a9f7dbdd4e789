"""Text files in UTF-8, with or without a byte order mark."""

from __future__ import annotations

import io
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twinvec.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

_START_BYTES = 8192  # enough to recognise UTF-16 and binary files


@contextmanager
def open_text(file: Path, name: str, newline: str | None = None) -> Iterator[TextIO]:
    """Open a text file as a stream, in which invalid bytes are lone surrogates.

    Valid UTF-8 never gives surrogates, so `utf8_problem` finds the bad lines one by one.

    Args:
        file: path of the file.
        name: the file's name in messages.
        newline: as in `open`.

    Raises:
        FileError: the file is UTF-16, UTF-32 or binary.
        OSError: the file cannot be read.
    """
    with file.open("rb") as binary:
        _check_start(binary.peek(), name)
        yield io.TextIOWrapper(binary, "utf-8-sig", "surrogateescape", newline)


def read_text(file: Path, name: str) -> str:
    """Read a whole text file.

    Args:
        file: path of the file.
        name: the file's name in messages.

    Raises:
        FileError: the file is not UTF-8.
        OSError: the file cannot be read.
    """
    data = file.read_bytes()
    _check_start(data[:_START_BYTES], name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise FileError(name, f"{decode_problem(err)}; save it as UTF-8", line) from err


def utf8_problem(text: str) -> str:
    """Describe the first invalid byte in text from `open_text`; empty if all are valid."""
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            text.encode(errors="surrogateescape").decode()
        except UnicodeDecodeError as err:
            return decode_problem(err)
    return ""


def decode_problem(err: UnicodeDecodeError) -> str:
    """Describe the byte at which decoding stopped."""
    return f"not valid UTF-8 (byte 0x{err.object[err.start]:02x}: {err.reason})"


def _check_start(data: bytes, name: str) -> None:
    """Refuse UTF-16 and UTF-32, which Windows likes to write.

    Their zero bytes are valid UTF-8, so parts of such a file would be read as garbage.
    """
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in data:
        raise FileError(name, "not UTF-8 but UTF-16, UTF-32 or binary data; save it as UTF-8")
