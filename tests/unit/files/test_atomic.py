"""Files that are replaced in one step, and locks between processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from twinvec import TwinvecError
from twinvec.files.atomic import (
    delete_parts,
    locked,
    part_of,
    replacing,
    sync_folder,
    target_name,
    temporary_folder,
    write_file,
)

HOLDER = """
import sys, time
from pathlib import Path
from twinvec.files.atomic import locked, part_of
with locked(Path(sys.argv[1])):
    part_of(Path(sys.argv[1])).mkdir()
    print("locked", flush=True)
    time.sleep(600)
"""


def interrupt() -> None:
    raise KeyboardInterrupt


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_a_lock_keeps_another_process_out_and_its_remains_are_deleted(tmp_path: Path) -> None:
    target = tmp_path / "deeper" / "index"
    command = [sys.executable, "-c", HOLDER, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"locked\n"
        message = r"another run is writing .*index, and holds .*-lock; wait until it is done"
        with pytest.raises(TwinvecError, match=message), locked(target):
            pass
        assert len(names(target.parent)) == 2  # nothing of the holder was deleted
        holder.send_signal(signal.SIGKILL)
    with locked(target):
        assert names(target.parent) == {".index.twinvec-lock"}
    assert names(target.parent) == set()


def test_two_locks_in_one_thread_exclude_each_other(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "index"),
        pytest.raises(TwinvecError, match="another run"),
        locked(tmp_path / "index"),
    ):
        pass
    with locked(tmp_path / "index"), locked(tmp_path / "index.v2"):
        pass
    assert names(tmp_path) == set()


def test_a_link_and_its_target_have_one_lock(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "link").symlink_to("index")
    with (
        FileLock(tmp_path / ".index.twinvec-lock"),
        pytest.raises(TwinvecError, match="another run"),
        locked(tmp_path / "link"),
    ):
        pass


def test_a_drive_without_locks_is_written_and_nothing_deleted(tmp_path: Path) -> None:
    (tmp_path / ".index.twinvec-lock").mkdir()  # cannot be locked either
    part = part_of(tmp_path / "index")
    part.touch()
    with locked(tmp_path / "index"):
        assert part.exists()


def test_remains_of_other_targets_stay(tmp_path: Path) -> None:
    others = [part_of(tmp_path / name) for name in ("index.v2", "index2", "ind")]
    mine = [".index.twinvec-part", "index.0123456789abcdef.twinvec-part", ".index.part"]
    for file in (*others, *(tmp_path / name for name in mine)):
        file.touch()
    before = names(tmp_path)
    (part_of(tmp_path / "index") / "folder").mkdir(parents=True)
    part_of(tmp_path / "index").touch()
    delete_parts(tmp_path / "index")
    assert names(tmp_path) == before


def test_a_file_is_replaced_completely_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_file(file, b"old")

    def write_half() -> None:
        with replacing(file) as part:
            part.write_bytes(b"new")
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert (names(tmp_path), file.read_bytes()) == ({"file"}, b"old")
    with replacing(file, sync_parent=False) as part:
        assert target_name(part) == "file"
        part.write_bytes(b"new")
        assert file.read_bytes() == b"old"
    assert (names(tmp_path), file.read_bytes()) == ({"file"}, b"new")


def test_content_and_name_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name.split(".")[-1])

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("only Linux names an open file")
    monkeypatch.setattr(os, "fsync", note)
    write_file(tmp_path / "file", b"")
    assert synced == ["twinvec-part", tmp_path.name]
    write_file(tmp_path / "file", b"", sync_parent=False)
    sync_folder(tmp_path / "missing")  # as where a folder cannot be opened
    assert synced == ["twinvec-part", tmp_path.name, "twinvec-part"]


def test_a_temporary_folder_is_deleted_unless_it_was_renamed(tmp_path: Path) -> None:
    def write_half() -> None:
        with temporary_folder(tmp_path / "model") as folder:
            (folder / "file").touch()
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert names(tmp_path) == set()
    with temporary_folder(tmp_path / "model") as folder:
        folder.rename(tmp_path / "model")
    assert names(tmp_path) == {"model"}


def test_many_processes_lock_one_at_a_time(tmp_path: Path) -> None:
    """Each adds one to a number in a file, as often as it gets the lock."""
    script = """
import sys
from pathlib import Path
from twinvec.files.atomic import locked, write_file
from twinvec import TwinvecError
target, done = Path(sys.argv[1]), 0
while done < 100:
    try:
        with locked(target):
            write_file(target, str(int(target.read_text()) + 1).encode(), sync_parent=False)
            done += 1
    except TwinvecError:
        pass
"""
    target = tmp_path / "number"
    target.write_text("0", encoding="ascii")
    command = [sys.executable, "-c", script, str(target)]
    started = time.monotonic()
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert target.read_text(encoding="ascii") == "300", time.monotonic() - started
    assert names(tmp_path) == {"number"}
