"""Index files with seeded damage, and files that a stranger wrote with matching digests.

Expected of damage: the right answer, or a `TwinvecError`. Expected of a stranger's files: any
answer, or a `TwinvecError`; no other exception, no warning, and none takes longer than seconds.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from indexes import TEXTS, signed, small_index, unit_vectors, write_small_shards
from twinvec import Index, TwinvecError

DAMAGES = 500  # of each precision and form: 3,000 in all
FORGERIES = 1000  # of each precision
MAX_SECONDS = 5.0  # for one; an idle machine needs 0.01

Files = dict[str, bytes]


def answers(location: Path) -> list[Any]:
    """Open an index, and read all its files."""
    start = time.monotonic()
    index = Index.load(location)
    hits: list[Any] = [index.fingerprint, index.precision, index.lexical]
    hits.append(index.search_vector(unit_vectors(1, index.dim)[0], k=3))
    if index.lexical:
        hits.append(index.search(" ".join(TEXTS), mode="lexical"))
    hits.append(index.documents())
    with suppress(KeyError):  # the id is not that of a document
        index.remove(["1"])
    hits.append(len(index))
    assert time.monotonic() - start < MAX_SECONDS
    return hits


def write(folder: Path, files: Files) -> None:
    for file in folder.iterdir():
        if files.get(file.name) != file.read_bytes():
            file.unlink()
    for name, content in files.items():
        if not (folder / name).exists():
            (folder / name).write_bytes(content)


def read(folder: Path) -> Files:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def flip_bits(content: bytes, draw: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        if damaged:
            damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def lengthen(content: bytes, draw: random.Random) -> bytes:
    return content + draw.randbytes(draw.choice((1, 8, 1000)))


def zero(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content) + 1)
    stop = min(len(content), start + draw.choice((1, 16, 4096)))
    return content[:start] + bytes(stop - start) + content[stop:]


def overwrite(content: bytes, draw: random.Random) -> bytes:
    """Put an extreme number somewhere."""
    number = draw.choice(
        (
            b"\xff" * 8,
            struct.pack("<Q", 1 << 63),
            struct.pack("<q", -1),
            struct.pack("<f", float("nan")),
            struct.pack("<f", float("inf")),
            struct.pack("<f", 3e38),
            b"\0" * 8,
            b"999999999",
            b"[[[[[[[[",
        )
    )
    start = draw.randrange(max(1, len(content) - len(number)))
    return content[:start] + number + content[start + len(number) :]


DAMAGE: list[Callable[[bytes, random.Random], bytes]] = [flip_bits, cut, lengthen, zero, overwrite]


@pytest.mark.parametrize("form", ["folder", "archive"])
@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
def test_damage_gives_the_right_answer_or_an_error(
    memory_path: Path, precision: str, form: str
) -> None:
    draw = random.Random(f"{precision} {form}")
    folder = memory_path / "index"
    write_small_shards(folder, precision)
    whole = read(folder)
    expected = answers(folder)
    refused = 0
    for number in range(DAMAGES):
        files = dict(whole)
        name = draw.choice([*files, *["index.json"] * 5])
        files[name] = draw.choice(DAMAGE)(files[name], draw)
        if draw.random() < 0.2:
            values = change_value(json.loads(whole["index.json"]), draw)
            files["index.json"] = json.dumps(values).encode()
        elif draw.random() < 0.1:
            files[name] = whole[draw.choice(list(whole))]  # another file under this name
        location = folder
        if form == "archive":
            location = memory_path / "index.zip"
            pack(location, whole if number % 2 else files)
            if number % 2:
                location.write_bytes(draw.choice(DAMAGE)(location.read_bytes(), draw))
        else:
            write(folder, files)
        try:
            assert answers(location) == expected, f"{number}: {name}"
        except TwinvecError:
            refused += 1
    assert refused > DAMAGES / 2


def pack(target: Path, files: Files) -> None:
    compression = zipfile.ZIP_DEFLATED if len(files["index.json"]) % 2 else zipfile.ZIP_STORED
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 5, 6, 70, 1 << 31, 1 << 32, 1 << 53, 1 << 63, 10**30, 10**4000),
    *(0.5, 1e308, "", "5", "float32", "int8", "binary", "constructor", "../index.json", "\ud800"),
    *([], {}, [1], [[]], {"a": 1}, [None] * 3, {"file": "x", "rows": 1, "bytes": 1, "sha256": ""}),
]


def change_value(value: Any, draw: random.Random) -> Any:
    """Replace, remove or repeat something at any depth of a JSON value."""
    if isinstance(value, dict | list) and value and draw.random() < 0.85:
        return change_entry(value, draw)
    if isinstance(value, int) and draw.random() < 0.4:
        return value + draw.choice((-1, 1, 64, -64))
    return draw.choice(VALUES)


def change_entry(value: Any, draw: random.Random) -> Any:
    """Remove, repeat or change an entry of an object or a list."""
    changed = dict(value) if isinstance(value, dict) else dict(enumerate(value))
    key, chance = draw.choice(list(changed)), draw.random()
    if chance < 0.05:
        del changed[key]
    elif chance < 0.1:
        changed[draw.choice(["more", "", "__class__", "vectors", "bits"])] = changed[key]
    else:
        changed[key] = change_value(changed[key], draw)
    return changed if isinstance(value, dict) else list(changed.values())


def change_line(content: bytes, draw: random.Random) -> bytes:
    """Change a value of a document, or nest one deep."""
    lines = content.splitlines()
    position = draw.randrange(len(lines))
    if draw.random() < 0.1:
        depth = draw.choice((50, 101, 5000, 100_000))
        lines[position] = b'{"id": "1", "text": "", "metadata": ' + b'{"":' * depth
    else:
        value = change_value(json.loads(lines[position]), draw)
        lines[position] = json.dumps(value).encode()
    return b"\n".join(lines) + b"\n" * draw.choice((1, 1, 1, 0, 2))


def change_shard(content: bytes, kind: str, draw: random.Random) -> bytes:
    """Change the content of a shard: its header, its numbers or its lines."""
    if kind == "documents" and draw.random() < 0.8:
        return change_line(content, draw)
    if draw.random() < 0.3:
        return draw.choice(DAMAGE)(content, draw)
    header, numbers = content[:128], content[128:]
    return header + draw.choice((flip_bits, overwrite, zero))(numbers, draw)


def sign_lines(files: Files, shards: dict[str, Any]) -> None:
    """Give the lines of documents the digests and places that belong to them."""
    (lines,), (documents,) = shards["lines"], shards["documents"]
    rows, start = [], 0
    for line in files[documents["file"]].splitlines(keepends=True):
        value = hashlib.sha256(line.removesuffix(b"\n")).digest()[:8]
        rows.append(struct.pack("<Q", start) + value)
        start += len(line)
    content = files[lines["file"]]
    replace_shard(files, lines, "lines", content[:128] + b"".join(rows[: lines["rows"]]))


def replace_shard(files: Files, shard: dict[str, Any], kind: str, content: bytes) -> None:
    del files[shard["file"]]
    sha256 = hashlib.sha256(content).hexdigest()
    suffix = shard["file"].rpartition(".")[2]
    shard.update(file=f"{kind}-{sha256[:16]}.{suffix}", bytes=len(content), sha256=sha256)
    files[shard["file"]] = content


@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
def test_a_forged_index_gives_an_answer_or_an_error(memory_path: Path, precision: str) -> None:
    draw = random.Random(precision)
    folder = memory_path / "index"
    small_index(precision).save(folder)
    whole = read(folder)
    refused = 0
    for _ in range(FORGERIES):
        files = dict(whole)
        values = json.loads(files["index.json"])
        if draw.random() < 0.4:
            values = change_value(values, draw)
        else:
            kind = draw.choice(list(values["shards"]))
            (shard,) = values["shards"][kind]
            replace_shard(files, shard, kind, change_shard(files[shard["file"]], kind, draw))
            if kind == "documents":
                sign_lines(files, values["shards"])
        is_object = isinstance(values, dict)
        files["index.json"] = signed(values) if is_object else json.dumps(values).encode()
        write(folder, files)
        try:
            answers(folder)
        except TwinvecError:
            refused += 1
    assert FORGERIES / 4 < refused < FORGERIES
