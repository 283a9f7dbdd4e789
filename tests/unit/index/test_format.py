"""An index on disk and on a server: what is written, what a crash leaves, what damage is told."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import numpy as np
import pytest

from conftest import finish, serving
from twinvec import (
    Document,
    DownloadError,
    Index,
    IndexFormatError,
    IndexWriter,
    IntegrityError,
    ParityWarning,
    TwinvecError,
    normalize,
)
from twinvec.index import contents as core
from twinvec.index.stores.folder import FolderStore
from twinvec.index.writing import postings
from twinvec.index.writing import shards as files
from twinvec.site.serve import StaticHandler

FINGERPRINT = {"model": "some/model", "pooling": "mean"}
PRECISIONS = ["float32", "int8", "binary"]
TEXTS = ["the first text", "a second text, the last but two", "\ud800 third", "one", "one more"]


def vectors(count: int, dim: int = 70) -> Any:
    draw = np.random.default_rng(1)
    return normalize(draw.standard_normal((count, dim)).astype(np.float32))


def index(precision: Any = "float32", **options: Any) -> Index:
    made = Index(FINGERPRINT, dim=70, precision=precision, **options)
    made.add_vectors(TEXTS, vectors(5), metadata=[{"n": i} for i in range(5)])
    return made


def one(folder: Path, kind: str) -> Path:
    (file,) = folder.glob(f"{kind}-*")
    return file


def results(some: Index, **options: Any) -> list[Any]:
    found: list[Any] = [some.search_vector(query, k=3, **options) for query in vectors(5)]
    if some.lexical:
        found += [some.search(query, mode="lexical", **options) for query in ("text one", "third")]
    return found


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SHARD", 64)
    monkeypatch.setattr(files, "_DOCUMENTS", 100)
    monkeypatch.setattr(postings, "_BLOCK", 4)
    monkeypatch.setattr(postings, "_RANGE", 3)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_is_saved_ranks_the_same(tmp_path: Path, precision: str) -> None:
    saved = index(precision)
    saved.save(tmp_path / "made" / "here")
    loaded = Index.load(tmp_path / "made" / "here")
    assert (len(loaded), loaded.fingerprint, loaded.precision) == (5, FINGERPRINT, precision)
    assert results(loaded) == results(saved)
    assert loaded.documents() == saved.documents()
    assert [hit.text for hit in loaded.search("third", mode="lexical")] == ["\ud800 third"]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.usefixtures("small_shards")
def test_many_shards_are_as_one(tmp_path: Path, precision: str) -> None:
    saved = index(precision)
    saved.save(tmp_path)
    assert len(list(tmp_path.glob("documents-*"))) == 5
    assert len(list(tmp_path.glob("postings-*"))) > 2
    assert len(list(tmp_path.glob("lines-*"))) == 2
    told: list[tuple[int, int]] = []
    loaded = Index.load(tmp_path, progress=lambda *counts: told.append(counts))
    assert told[-1][0] == told[-1][1]
    assert results(loaded) == results(saved)
    assert loaded.documents(1, 4) == saved.documents()[1:4]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_is_changed_and_saved_in_its_own_folder(tmp_path: Path, precision: str) -> None:
    index(precision).save(tmp_path)
    loaded = Index.load(tmp_path)
    loaded.remove(["1", "2"])
    with pytest.raises(ValueError, match="'0' is already in use"):
        loaded.add_vectors(["x"], vectors(1), ids=["0"])
    loaded.add_vectors(["a new text"], vectors(6)[5:])
    before = [[(hit.id, hit.score) for hit in hits] for hits in results(loaded)]
    for _ in range(2):
        loaded.save(tmp_path)
        after = [[(hit.id, hit.score) for hit in hits] for hits in results(loaded)]
        assert after == before
    assert [document.id for document in loaded.documents()] == ["0", "3", "4", "5"]
    shards = json.loads((tmp_path / "index.json").read_bytes())["shards"].values()
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {shard["file"] for some in shards for shard in some} | {"index.json"}
    loaded.add_vectors(["x"], vectors(1))
    assert loaded.documents(-1)[0].id == "6"  # 4 and 5 are taken


@pytest.mark.parametrize("precision", PRECISIONS)
def test_plain_numpy_reads_it(tmp_path: Path, precision: str) -> None:
    index(precision).save(tmp_path)
    block = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    assert (block["version"], block["count"], block["dim"]) == (2, 5, 70)

    def array(kind: str) -> Any:
        return np.concatenate([np.load(tmp_path / one["file"]) for one in block["shards"][kind]])

    if precision == "float32":
        assert (array("vectors") == vectors(5)).all()
    elif precision == "int8":
        made = array("codes") * array("scales")[:, np.newaxis]
        assert np.abs(made - vectors(5)).max() < 0.002
    else:
        signs = np.unpackbits(array("bits"), axis=1, count=70)
        assert (signs == (vectors(5) > 0)).all()
    lines = one(tmp_path, "documents").read_text(encoding="ascii").splitlines()
    assert json.loads(lines[1]) == {"id": "1", "text": TEXTS[1], "metadata": {"n": 1}}
    content = one(tmp_path, "documents").read_bytes()
    assert content[int(array("lines")[2, 0]) :].startswith(lines[2].encode())


def test_an_empty_index_is_saved(tmp_path: Path) -> None:
    for precision in PRECISIONS:
        made = Index(FINGERPRINT, dim=70, precision=cast("Any", precision))
        made.save(tmp_path)
        loaded = Index.load(tmp_path)
        assert (len(loaded), loaded.documents()) == (0, [])
        assert loaded.search_vector(vectors(1)) == loaded.search("a", mode="lexical") == []
        loaded.add_vectors(["a"], vectors(1))
        assert loaded.search("a", mode="lexical")[0].id == "0"


def test_terms_are_a_choice(tmp_path: Path) -> None:
    index(lexical=False).save(tmp_path)
    assert list(tmp_path.glob("postings-*")) == []
    loaded = Index.load(tmp_path)
    with pytest.raises(ValueError, match="this index has none; build it with lexical=True"):
        loaded.search("one", mode="lexical")


def test_saving_approximate_vectors_warns(tmp_path: Path) -> None:
    made = Index({"parity": "approximate"}, dim=70)
    with pytest.warns(ParityWarning, match="another runtime computes slightly different"):
        made.save(tmp_path)


@pytest.mark.parametrize("step", range(1, 12))
def test_a_crash_leaves_the_old_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The folder as it is copied at any moment of a save loads, as the old or as the new one."""
    index().save(tmp_path / "index")
    old = results(Index.load(tmp_path / "index"))
    replace, done = Path.replace, 0

    def stop_before(self: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done == step:
            shutil.copytree(tmp_path / "index", tmp_path / "crashed")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop_before)
    changed = Index(FINGERPRINT, dim=70)
    changed.add_vectors(["other", "texts"], vectors(7)[5:])
    changed.save(tmp_path / "index")
    monkeypatch.undo()
    assert done >= 8
    if step <= done:
        assert results(Index.load(tmp_path / "crashed")) == old
        changed.save(tmp_path / "crashed")
        names = {file.name for file in (tmp_path / "crashed").iterdir()}
        assert names == {file.name for file in (tmp_path / "index").iterdir()}


def test_an_exception_leaves_the_old_index(tmp_path: Path) -> None:
    index().save(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    writer = IndexWriter(tmp_path, FINGERPRINT, precision="float32", dim=70)
    documents = [Document(str(i), "text", {}) for i in range(5)]
    batches = iter([vectors(5), vectors(4)])
    with pytest.raises(ValueError, match="not of shape"), writer:
        list(map(partial(writer.add, documents), batches))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def fill(
    folder: Path, then: Callable[[], object], name: str = "a", *, lexical: bool = True
) -> None:
    """Write some shards, do something, and leave the writer's block."""
    with IndexWriter(folder, FINGERPRINT, precision="float32", dim=70, lexical=lexical) as writer:
        writer.add([Document(f"{name}{i}", f"{name} text {i}") for i in range(5)], vectors(5))
        then()


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("small_shards")
def test_an_exception_deletes_nothing_of_an_index_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index().save(tmp_path)
    newer = {**content(tmp_path), "index.json": b'{"version": 3, "shards": {}}'}

    def replace() -> None:
        assert len(content(tmp_path)) > len(newer)
        (tmp_path / "index.json").write_bytes(newer["index.json"])
        interrupt()

    def lock() -> None:
        monkeypatch.setattr(Path, "read_bytes", Mock(side_effect=PermissionError))
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, replace)
    assert content(tmp_path) == newer
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, lock)
    monkeypatch.undo()
    assert newer.items() <= content(tmp_path).items()


@pytest.mark.usefixtures("small_shards")
def test_a_disk_that_is_full_at_the_end_leaves_the_old_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index().save(tmp_path / "old")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    sync = os.fsync
    for folder in (tmp_path / "old", tmp_path / "new"):
        before = content(folder) if folder.exists() else {}
        for written in (0, 3, 12):  # of the files that are written at the end
            fail = Mock(side_effect=[None] * written + [full])
            with pytest.raises(OSError, match="No space left") as caught:
                fill(folder, partial(monkeypatch.setattr, os, "fsync", fail))
            monkeypatch.setattr(os, "fsync", sync)
            assert caught.value.filename == str(folder)
            assert content(folder) == before


@pytest.mark.parametrize("lexical", [True, False])
@pytest.mark.usefixtures("small_shards")
def test_the_second_of_two_writers_is_refused(tmp_path: Path, *, lexical: bool) -> None:
    first: dict[str, bytes] = {}

    def other() -> None:
        fill(tmp_path, lambda: None, "other")
        first.update(content(tmp_path))

    with pytest.raises(TwinvecError, match="another program wrote this index meanwhile"):
        fill(tmp_path, other, lexical=lexical)
    assert content(tmp_path) == first
    assert Index.load(tmp_path).documents()[0].id == "other0"


@pytest.mark.usefixtures("small_shards")
def test_a_writer_that_fails_deletes_nothing_of_another_ones_index(tmp_path: Path) -> None:
    def other() -> None:
        fill(tmp_path, lambda: None)  # the same shards
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, other)
    loaded = Index.load(tmp_path)
    assert len(loaded.documents()) == len(loaded.search("text", mode="lexical")) == 5


def test_what_a_crash_left_of_a_run_is_no_other_folder(tmp_path: Path) -> None:
    for name in ("documents-0123456789abcdef.jsonl", "codes-0123456789abcdef.npy.part"):
        (tmp_path / name).touch()
    files.check_folder(tmp_path)
    index().save(tmp_path)
    assert not list(tmp_path.glob("*-0123456789abcdef*"))
    files.check_folder(tmp_path)
    files.check_folder(tmp_path / "not there")


@pytest.mark.parametrize("text", ['[{"title": "A page"}]', '{"version": 1}', "{", "", "null"])
def test_an_index_json_of_another_program_is_not_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "index.json"
    file.write_text(text, encoding="utf-8")
    for write in (index().save, files.check_folder):
        with pytest.raises(IndexFormatError, match="would be replaced, and is not that of an inde"):
            write(tmp_path)
    assert content(tmp_path) == {"index.json": text.encode()}


@pytest.mark.parametrize("block", [{"version": 1, "texts": []}, {"version": 9, "shards": {}}])
def test_an_index_of_another_version_is_replaced(tmp_path: Path, block: dict[str, Any]) -> None:
    (tmp_path / "index.json").write_text(json.dumps(block), encoding="utf-8")
    index().save(tmp_path)
    assert len(Index.load(tmp_path)) == 5


def test_a_copy_takes_the_place_of_an_index_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index().save(tmp_path / "new")
    index("int8").save(tmp_path / "index")
    old = content(tmp_path / "index")
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(PermissionError):
        files.replace_folder(tmp_path / "index", tmp_path / "new")
    monkeypatch.undo()
    assert content(tmp_path / "index") == old
    files.replace_folder(tmp_path / "index", tmp_path / "new")
    assert content(tmp_path / "index") == content(tmp_path / "new")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "page.html").touch()
    with pytest.raises(IndexFormatError, match="mine is not empty and not an index"):
        files.replace_folder(tmp_path / "mine", tmp_path / "new")
    assert {file.name for file in tmp_path.iterdir()} == {"new", "index", "mine"}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_array_may_be_filled_again(tmp_path: Path, precision: Any) -> None:
    index(precision).save(tmp_path / "once")
    batch = np.empty((1, 70), np.float32)
    added = Index(FINGERPRINT, dim=70, precision=precision)
    with IndexWriter(tmp_path / "a", FINGERPRINT, precision=precision, dim=70) as writer:
        for i, (text, row) in enumerate(zip(TEXTS, vectors(5), strict=True)):
            batch[:] = row
            writer.add([Document(str(i), text, {"n": i})], batch)
            added.add_vectors([text], batch, metadata=[{"n": i}])
    added.save(tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b") == content(tmp_path / "once")


@pytest.mark.usefixtures("small_shards")
def test_what_is_put_aside_lies_in_the_folder_and_goes_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    folder = tmp_path / "index"

    def look() -> None:
        assert list(folder.glob("aside-*"))
        shutil.copytree(folder, tmp_path / "killed")
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        fill(folder, look)
    assert content(folder) == {}
    index().save(folder)
    files.check_folder(tmp_path / "killed")
    index().save(tmp_path / "killed")
    assert content(folder) == content(tmp_path / "killed")
    assert not list(folder.glob("aside-*"))
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(Path, "write_bytes", Mock(side_effect=full))
    with pytest.raises(OSError, match="No space left") as caught:
        index().save(folder)
    assert caught.value.filename == str(folder)
    assert len(Index.load(folder)) == 5


@pytest.mark.parametrize("where", ["index", "index.zip"])
def test_what_is_changed_amid_a_save_is_not_lost(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one event loop after the other, whenever the other calls come, with slow files."""
    read = FolderStore.read

    async def slowly(self: FolderStore, parts: Any) -> list[bytes]:
        await asyncio.sleep(0)
        return read(self, parts)

    monkeypatch.setattr(FolderStore, "aread", slowly)
    monkeypatch.setattr(core, "DOCUMENTS_PER_WRITE", 1)
    index().save(tmp_path / where)
    loaded = Index.load(tmp_path / where)

    async def change(turn: int) -> None:
        saving = asyncio.create_task(loaded.asave(tmp_path / where))
        for _ in range(turn):
            await asyncio.sleep(0)
        added = loaded.aadd_vectors(["new"], vectors(1), ids=[f"new {turn}"])
        await asyncio.gather(added, loaded.aremove([str(turn)]), saving)

    for turn in range(5):
        finish(change(turn))
        expected = [*map(str, range(turn + 1, 5)), *(f"new {i}" for i in range(turn + 1))]
        assert [one.id for one in loaded.documents()] == expected
        finish(loaded.asave(tmp_path / where))
        assert Index.load(tmp_path / where).documents() == loaded.documents()


def test_it_is_saved_elsewhere_when_its_folder_was_moved_away(tmp_path: Path) -> None:
    index().save(tmp_path / "a")
    loaded = Index.load(tmp_path / "a")
    documents = loaded.documents()
    (tmp_path / "a").rename(tmp_path / "b")
    loaded.save(tmp_path / "c")
    assert Index.load(tmp_path / "c").documents() == documents


def test_a_writer_refuses_what_does_not_fit(tmp_path: Path) -> None:
    documents = [Document(name, name, {}) for name in "ab"]
    with IndexWriter(tmp_path, FINGERPRINT, precision="int8", dim=70) as writer:
        writer.add(documents, vectors(2))
        with pytest.raises(ValueError, match=r"documents\[3\]: the id 'b' was there before"):
            writer.add([Document("c", "c", {}), documents[1]], vectors(2))
        with pytest.raises(ValueError, match=r"documents\[2\]: its metadata are not JSON"):
            writer.add([Document("c", "c", {"x": {1}})], vectors(1))
        with pytest.raises(ValueError, match=r"1 texts need vectors \[1, 70\]"):
            writer.add([Document("c", "c", {})], vectors(2))
        with pytest.raises(ValueError, match=r"vectors\[0\] is not finite"):
            writer.add([Document("c", "c", {})], np.full((1, 70), np.nan))
        writer.add([Document("c", "c", {})], vectors(3)[2:])
        assert len(writer) == 3
    assert [document.id for document in Index.load(tmp_path).documents()] == ["a", "b", "c"]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.usefixtures("small_shards")
def test_unchanged_texts_keep_their_vectors(tmp_path: Path, precision: Any) -> None:
    index(precision).save(tmp_path)
    before = results(Index.load(tmp_path))
    options: Any = {"precision": precision, "dim": 70}
    with IndexWriter(tmp_path, FINGERPRINT, **options) as writer:
        texts = ["new", *TEXTS[1:], TEXTS[0]]
        stored = writer.find(texts)
        assert stored.tolist() == [-1, 1, 2, 3, 4, 0]
        documents = [Document(f"{i}!", text, {"n": i}) for i, text in enumerate(texts)]
        with pytest.raises(ValueError, match=r"1 texts need vectors \[1, 70\]"):
            writer.add(documents, vectors(6), stored=stored)
        writer.add(documents, -vectors(1), stored=stored)
    loaded = Index.load(tmp_path)
    moved = [[5, 1, 2, 3, 4][hit.position] for hit in before[0]]
    assert [hit.position for hit in loaded.search_vector(vectors(5)[0], k=3)] == moved
    scores = [hit.score for hit in loaded.search_vector(vectors(5)[1], k=2)]
    assert scores == [hit.score for hit in before[1]][:2]


def test_vectors_of_another_make_are_not_taken_over(tmp_path: Path) -> None:
    index().save(tmp_path)
    for fingerprint, precision in (({"model": "other"}, "float32"), (FINGERPRINT, "int8")):
        options: Any = {"precision": precision, "dim": 70}
        writer = IndexWriter(tmp_path, fingerprint, **options)
        assert writer.find(TEXTS).tolist() == [-1] * 5
        with pytest.raises(ValueError, match="of the folder's index 0 vectors"):
            writer.add([Document("a", "a", {})], [], stored=np.array([0]))


@pytest.mark.parametrize("kind", ["codes", "scales", "texts"])
def test_vectors_of_a_damaged_index_are_not_taken_over(tmp_path: Path, kind: str) -> None:
    index("int8").save(tmp_path)
    flipped(one(tmp_path, kind))
    with IndexWriter(tmp_path, FINGERPRINT, precision="int8", dim=70) as writer:
        assert writer.find(TEXTS).tolist() == [-1] * 5
        writer.add([Document("a", "a", {})], vectors(1))
    assert len(Index.load(tmp_path)) == 1


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1 if file.suffix == ".npy" else len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], Any], type[TwinvecError]]] = {
    "flipped": (flipped, IntegrityError),
    "missing": (Path.unlink, TwinvecError),
    "page": (lambda file: file.write_text("<!doctype html><title>404</title>"), IntegrityError),
    "empty": (lambda file: file.write_bytes(b""), IntegrityError),
    "shortened": (lambda file: file.write_bytes(file.read_bytes()[:-2]), IntegrityError),
}


def use_all(location: Path | str) -> None:
    loaded = Index.load(location)
    loaded.search(" ".join(TEXTS), mode="lexical")
    loaded.documents()
    loaded.remove(["1"])


@pytest.mark.parametrize("ranges", [None, True, False])
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    "kind",
    ["codes", "scales", "documents", "lines", "ids", "lengths", "terms", "postings"],
)
def test_damage_is_told_by_name(
    tmp_path: Path, kind: str, damage: str, ranges: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    index("int8").save(tmp_path)
    file = one(tmp_path, kind)
    spoil, error = DAMAGE[damage]
    spoil(file)
    if ranges is None:
        with pytest.raises(error, match=file.name):
            use_all(tmp_path)
        return
    if not ranges:
        monkeypatch.setattr(StaticHandler, "send_range", lambda self, *_: self.send_whole())
        monkeypatch.setattr(StaticHandler, "send_whole", _send_whole, raising=False)
    with serving(tmp_path) as address, pytest.raises(error, match=file.name):
        use_all(address)


def _send_whole(self: StaticHandler) -> Any:
    del self.headers["Range"]
    return self.send_head()


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.usefixtures("small_shards")
def test_a_url_is_opened(tmp_path: Path, ranges: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    index("int8").save(tmp_path)
    if not ranges:
        monkeypatch.setattr(StaticHandler, "send_range", _send_whole_instead)
    with serving(tmp_path) as address:
        loaded = Index.load(address)
        assert results(loaded) == results(Index.load(tmp_path))
        with pytest.raises(DownloadError, match="the server answered 404"):
            Index.load(f"{address}no/such/")
    with pytest.raises(DownloadError, match="cannot be reached"):
        Index.load(address)


def _send_whole_instead(self: StaticHandler, *_: Any) -> Any:
    return _send_whole(self)


@pytest.mark.parametrize("text", ["[]", "{}", "null", "1", '"x"', "<!doctype html>", ""])
def test_an_index_of_another_make_is_told(tmp_path: Path, text: str) -> None:
    index().save(tmp_path)
    (tmp_path / "index.json").write_text(text, encoding="utf-8")
    with pytest.raises(
        IndexFormatError, match=r"index\.json is damaged, or the server sent another page"
    ):
        Index.load(tmp_path)


@pytest.mark.parametrize("version", [1, 9])
def test_another_version_is_told(tmp_path: Path, version: int) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"version": version, "texts": []}), "utf-8")
    with pytest.raises(
        IndexFormatError, match=f"index version {version} is not supported.*Build the"
    ):
        Index.load(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 6),
        ("dim", 71),
        ("precision", "int4"),
        ("fingerprint", None),
        ("shards", {}),
        ("shards", []),
    ],
)
def test_a_manifest_that_does_not_fit_is_told(tmp_path: Path, field: str, value: Any) -> None:
    index().save(tmp_path)
    file = tmp_path / "index.json"
    block = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**block, field: value}), encoding="utf-8")
    with pytest.raises(IndexFormatError, match=r"index\.json is damaged|not float32 \[5, 71\]"):
        Index.load(tmp_path)


def test_a_file_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    index().save(tmp_path)
    file = tmp_path / "index.json"
    text = file.read_text(encoding="utf-8").replace("vectors-", "../vectors-")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(IndexFormatError, match=r"it lists a file \.\./vectors"):
        Index.load(tmp_path)


def test_a_folder_without_an_index_is_told(tmp_path: Path) -> None:
    with pytest.raises(IndexFormatError, match="Check that an index was saved to this folder"):
        Index.load(tmp_path)
