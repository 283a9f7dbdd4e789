"""End a real operation at each of its file operations, in a child process.

Operations are: opening a file for writing, the beginning and the middle of each write, syncing,
truncating, renaming, deleting, and creating or deleting a folder.
"""

from __future__ import annotations

import builtins
import io
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHILD_SECONDS = 60


class _Countdown:
    """Ends this process before the operation of a number."""

    def __init__(self, number: int, note: Path, folder: Path) -> None:
        self._left, self._note, self._folder = number, note, str(folder)
        self._noting = False

    def step(self, operation: str) -> None:
        """Count an operation."""
        if self._noting:
            return
        self._left -= 1
        if not self._left:
            self._noting = True
            self._note.write_text(operation, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count what Python reports itself; files outside of the folder are Python's own."""
        if event in CHANGES:
            self.step(f"{event} {arguments[0]}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            path = arguments[0]
            if isinstance(path, str | os.PathLike) and str(path).startswith(self._folder):
                self.step(f"open {path}")


def _intercept(countdown: _Countdown) -> None:
    """Count the operations that Python does not report, from here to the end of the process."""

    class File(io.FileIO):
        def write(self, content: Any, /) -> int:
            countdown.step(f"write {self.name}")
            with memoryview(content) as view:
                half = bytes(view.cast("B"))[: view.nbytes // 2]
                written = super().write(half)
                countdown.step(f"write the second half of {self.name}")
                return written + super().write(bytes(view.cast("B"))[written:])

        def truncate(self, size: int | None = None, /) -> int:
            countdown.step(f"truncate {self.name}")
            return super().truncate(size)

    plain_open = io.open

    def opened(file: Any, mode: str = "r", buffering: int = -1, *text: Any, **options: Any) -> Any:
        if not set(mode) & set("wax+"):
            return plain_open(file, mode, buffering, *text, **options)
        more = {key: options.pop(key) for key in ("closefd", "opener") if key in options}
        raw = File(file, mode.replace("b", "").replace("t", ""), **more)
        if buffering == 0:
            return raw
        stream = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return stream if "b" in mode else io.TextIOWrapper(stream, *text, **options)

    def counted(name: str) -> Callable[..., Any]:
        plain = getattr(os, name)

        def call(*arguments: Any) -> Any:
            countdown.step(f"{name} {arguments}")
            return plain(*arguments)

        return call

    vars(builtins)["open"] = vars(io)["open"] = opened
    for name in ("fsync", "write", "sendfile", "copy_file_range"):
        if hasattr(os, name):
            setattr(os, name, counted(name))
    sys.addaudithook(countdown.audit)


def killed_at_every_operation(
    root: Path,
    prepare: Callable[[Path], object],
    work: Callable[[Path], object],
    *,
    every: int = 1,
) -> Iterator[tuple[str, Path]]:
    """Yield each file operation of `work` and the folder in which it was killed there.

    Args:
        root: an empty folder.
        prepare: fills the folder, before each run.
        work: writes into the folder. It runs in a forked child, so it must not use what threads of
            this process hold, such as an open model.
        every: 1 for every operation, n for each n-th.
    """
    for number in count(1, every):
        folder = root / str(number) / "here"
        folder.mkdir(parents=True)
        prepare(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
            child = os.fork()
        if not child:
            _run(work, folder, number)
        status = wait_for(child)
        note, failure = folder.parent / "operation", folder.parent / "failure"
        if os.WIFSIGNALED(status) and note.exists():
            yield note.read_text(encoding="utf-8"), folder
            continue
        assert not failure.exists(), failure.read_text(encoding="utf-8")
        assert status == 0, f"the child ended with status {status}"
        return


def _run(work: Callable[[Path], object], folder: Path, number: int) -> NoReturn:
    """Do the work in this process, and end it."""
    try:
        _intercept(_Countdown(number, folder.parent / "operation", folder))
        work(folder)
    except BaseException:
        (folder.parent / "failure").write_text(traceback.format_exc(), encoding="utf-8")
        os._exit(1)
    os._exit(0)


def wait_for(child: int) -> int:
    """Return the status of a child; end one that hangs."""
    deadline = time.monotonic() + CHILD_SECONDS
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"the child was still running after {CHILD_SECONDS} s")


def tree(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder and its subfolders."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
