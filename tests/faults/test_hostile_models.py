"""Folders of models from anyone: each opens and encodes, or fails with an error of twinvec."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from synthetic import write_tiny
from twinvec import Embedder, ModelError, TwinvecError
from twinvec.convert.folder import convert_folder

SEED = 20261124
MUTATIONS = 400
JSON_FILES = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "probes.json",
]
WEIGHTS = "onnx/model.onnx"
HOSTILE: list[Any] = [
    *(None, True, False, 0, -1, 1, 3, 2**31, 2**63, 10**30, 1e300, 1.5),
    *("", "x", "\ud800", "a" * 100_000, [], {}, [[]], [None], {"": None}, [1, "x"], ["word1"]),
    *(float("nan"), float("inf"), {"type": "x"}, {"type": "Sequence", "processors": 3}),
]
TEXTS = ["word1 word2", "", "unknown \ud800 text"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every optional file, and no hashes that would refuse any change."""
    root = tmp_path_factory.mktemp("model")
    folder = convert_folder(write_tiny(root / "source"), root / "tiny")
    (folder / "SHA256SUMS").unlink()
    added = {
        "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": {"query": "q ", "document": "d "}},
    }
    for path, content in added.items():
        (folder / path).write_text(json.dumps(content), encoding="utf-8")
    tokenizer = json.loads((folder / "tokenizer.json").read_bytes())
    tokenizer["post_processor"] = POST_PROCESSOR
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "probes.json").write_text(json.dumps(references(folder)), encoding="utf-8")
    return folder


POST_PROCESSOR = {
    "type": "TemplateProcessing",
    "single": [
        {"SpecialToken": {"id": "word1", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "word2", "type_id": 0}},
    ],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {
        "word1": {"id": "word1", "ids": [1], "tokens": ["word1"]},
        "word2": {"id": "word2", "ids": [2], "tokens": ["word2"]},
    },
}


def references(folder: Path) -> Any:
    (folder / "probes.json").unlink()
    embedder = Embedder.from_pretrained(folder)
    vectors = embedder.encode(["word3"], pooling="mean").tolist()
    embedder.close()
    return {"fp32": {"texts": ["word3"], "vectors": vectors}}


def use(folder: Path) -> None:
    """Open a folder and encode with it; unexpected errors pass through."""
    try:
        embedder = Embedder.from_pretrained(folder)
    except Exception as err:
        if not is_expected(err):
            raise
        return
    try:
        vectors = embedder.encode_query(TEXTS)
        assert vectors.shape == (len(TEXTS), embedder.info.dim)
        embedder.count_tokens(TEXTS)
        assert embedder.fingerprint["dim"] == embedder.info.dim
    except TwinvecError:
        pass
    finally:
        embedder.close()


def is_expected(err: Exception) -> bool:
    """Of the built-in errors only the one of a limit that is too small is expected."""
    return isinstance(err, TwinvecError) or "leaves no room beside the special tokens" in str(err)


def places(value: Any) -> list[tuple[Any, Any]]:
    """List each container of a JSON value with each of its keys."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    found = []
    for key, item in items:
        found += [(value, key), *places(item)]
    return found


def change_a_value(file: Path, draw: random.Random) -> str:
    value = json.loads(file.read_bytes())
    container, key = draw.choice(places(value) or [([value], 0)])
    new = draw.choice(HOSTILE)
    if draw.random() < 0.15 and isinstance(container, dict):
        del container[key]
    else:
        container[key] = new
    file.write_text(json.dumps(value), encoding="utf-8")
    return f"{file.name}: {key} is {str(new)[:60]!r}"


def replace_all(file: Path, draw: random.Random) -> str:
    new = draw.choice(HOSTILE)
    file.write_text(json.dumps(new), encoding="utf-8")
    return f"{file.name} is {str(new)[:60]!r}"


def damage_bytes(file: Path, draw: random.Random) -> str:
    content = bytearray(file.read_bytes())
    kind = draw.choice(["flip", "cut", "insert", "empty", "page", "deep"])
    position = draw.randrange(len(content))
    if kind == "flip":
        content[position] ^= 1 << draw.randrange(8)
    elif kind == "cut":
        del content[position:]
    elif kind == "insert":
        content[position:position] = draw.randbytes(draw.randrange(1, 20))
    else:
        content = bytearray({"empty": b"", "page": b"<html>", "deep": b"[" * 100_000}[kind])
    file.write_bytes(content)
    return f"{file.name}: {kind} at {position}"


DAMAGES: list[Callable[[Path, random.Random], str]] = [
    *(change_a_value, change_a_value, change_a_value, replace_all, damage_bytes)
]


@pytest.mark.parametrize("part", range(4))
def test_mutated_folders(model: Path, tmp_path: Path, part: int) -> None:
    draw = random.Random(SEED + part)
    for number in range(MUTATIONS // 4):
        folder = tmp_path / str(number)
        shutil.copytree(model, folder)
        path = draw.choice([*JSON_FILES, "tokenizer.json", "config.json", WEIGHTS])
        change = damage_bytes if path == WEIGHTS else draw.choice(DAMAGES)
        mutation = change(folder / path, draw)
        try:
            use(folder)
        except Exception as err:
            raise AssertionError(f"{number}: {mutation}") from err
        shutil.rmtree(folder)


def make_pipe(file: Path) -> None:
    os.mkfifo(file)


def link_to(target: str) -> Callable[[Path], None]:
    return lambda file: file.symlink_to(target)


SPECIAL_FILES: dict[str, Callable[[Path], None]] = {
    "a pipe": make_pipe,
    "a folder": Path.mkdir,
    "an endless device": link_to("/dev/zero"),
    "an empty device": link_to(os.devnull),
    "a loop": lambda file: file.symlink_to(file.name),
    "a broken link": link_to("absent"),
}


@pytest.fixture
def ten_seconds() -> Iterator[None]:
    """End a test that waits for a pipe."""

    def end(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs os.mkfifo")
@pytest.mark.usefixtures("ten_seconds")
@pytest.mark.parametrize("path", [*JSON_FILES, WEIGHTS, "onnx/model.onnx_data", "SHA256SUMS"])
@pytest.mark.parametrize("make", SPECIAL_FILES.values(), ids=SPECIAL_FILES.keys())
def test_files_that_are_none(
    model: Path, tmp_path: Path, path: str, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(model, folder)
    (folder / path).unlink(missing_ok=True)
    make(folder / path)
    use(folder)
    if path in ("config.json", "1_Pooling/config.json", "probes.json"):
        is_broken = (folder / path).is_symlink() and not (folder / path).exists()
        needed = path == "config.json"
        if needed or not is_broken:
            with pytest.raises(ModelError, match=path.replace(".", r"\.")):
                Embedder.from_pretrained(folder)


def test_a_folder_with_an_impossible_name() -> None:
    for name in ("a" * 5000, "a/" * 3000, "\0", "\ud800/x", "", ".", "/dev/null", "~"):
        with pytest.raises((TwinvecError, ValueError)):
            Embedder.from_pretrained(name, local_files_only=True)


@pytest.mark.parametrize("part", range(2))
def test_mutated_sources_of_conversions(tmp_path: Path, part: int) -> None:
    draw = random.Random(SEED + 10 + part)
    source = write_tiny(tmp_path / "source")
    for number in range(30):
        folder = tmp_path / str(number)
        shutil.copytree(source, folder)
        path = draw.choice(["config.json", "config.json", "tokenizer.json", "model.safetensors"])
        change = damage_bytes if path == "model.safetensors" else draw.choice(DAMAGES)
        mutation = change(folder / path, draw)
        try:
            convert_folder(folder, tmp_path / "made" / str(number))
        except Exception as err:
            if not is_expected(err):
                raise AssertionError(f"{number}: {mutation}") from err
        shutil.rmtree(folder)
