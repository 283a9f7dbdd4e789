"""Indexes kept in the browser, and indexes as one file: both runtimes, a full disk, a crash."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error

from conftest import Tab, open_tab
from twinvec import Embedder, Index

pytestmark = pytest.mark.browser

TEXTS = ["The giant panda eats bamboo.", "A lion sleeps.", "Opening hours are nine to five."]
SEARCH = """async (source) => {
  const index = await extractor.openIndex(source);
  return [index.size, await index.search("bear", { mode: "hybrid" })];
}"""
KEEP = """async ([name, texts]) => {
  const index = await extractor.createIndex();
  await index.add(texts);
  await index.save(name);
}"""
FILES = """async (name) => {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("twinvec");
  const folder = await root.getDirectoryHandle(`${name}.index`);
  const sizes = {};
  for await (const [file, handle] of folder.entries()) sizes[file] = (await handle.getFile()).size;
  return sizes;
}"""


@pytest.fixture(scope="module")
def visitor(browser: Browser, test_site: str) -> Iterator[Tab]:
    """A tab with storage of its own."""
    tab = open_tab(browser, test_site)
    yield tab
    tab.page.context.close()


def listed(tab: Tab) -> dict[str, int]:
    stored: list[dict[str, Any]] = tab.page.evaluate("twinvec.listStored()")
    return {index["name"]: index["size"] for index in stored}


def exported(tab: Tab, source: str) -> bytes:
    text: str = tab.page.evaluate(
        """async (source) => {
          const index = await extractor.openIndex({ stored: source });
          const bytes = new Uint8Array(await (await index.export()).arrayBuffer());
          return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
        }""",
        source,
    )
    return base64.b64decode(text)


def imported(tab: Tab, content: bytes) -> Any:
    return tab.page.evaluate(
        f"""async (text) => {{
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          return ({SEARCH})(new Blob([bytes]));
        }}""",
        base64.b64encode(content).decode(),
    )


@pytest.mark.parametrize("name", ["zoo", "../ü/\u4e2d .*", ".."])
def test_an_index_is_kept_listed_opened_replaced_and_removed(visitor: Tab, name: str) -> None:
    page = visitor.page
    page.evaluate(KEEP, [name, TEXTS])
    assert listed(visitor) == {name: 3}
    size, hits = page.evaluate(SEARCH, {"stored": name})
    assert (size, hits[0]["text"]) == (3, TEXTS[0])
    page.evaluate(KEEP, [name, TEXTS[:1]])
    assert listed(visitor) == {name: 1}
    assert page.evaluate(SEARCH, {"stored": name})[0] == 1
    page.evaluate("(name) => twinvec.removeStored(name)", name)
    assert listed(visitor) == {}
    with pytest.raises(Error, match="IndexFormatError: no whole index is kept here as"):
        page.evaluate(SEARCH, {"stored": name})


def test_an_index_that_is_saved_again_can_be_used_further(visitor: Tab) -> None:
    visitor.page.evaluate(KEEP, ["on", TEXTS])
    results, size = visitor.page.evaluate(
        """async (more) => {
          const index = await extractor.openIndex({ stored: "on" });
          const results = [];
          for (const text of more) {
            await index.add(text);
            await index.save("on");
            const [added] = await index.search(text, { k: 1 });
            const old = await index.search("bamboo", { mode: "lexical" }); // not read before
            results.push([added.text, old.map(({ text }) => text), index.size]);
          }
          return [results, (await extractor.openIndex({ stored: "on" })).size];
        }""",
        ["A zebra grazes.", "An otter swims."],
    )
    assert results == [
        ["A zebra grazes.", TEXTS[:1], 4],
        ["An otter swims.", TEXTS[:1], 5],
    ]
    assert size == 5
    assert listed(visitor) == {"on": 5}
    visitor.page.evaluate("twinvec.removeStored('on')")


def test_a_replaced_index_leaves_no_files(visitor: Tab) -> None:
    visitor.page.evaluate(KEEP, ["again", TEXTS])
    before = visitor.page.evaluate(FILES, "again")
    visitor.page.evaluate(KEEP, ["again", TEXTS[::-1]])
    after = visitor.page.evaluate(FILES, "again")
    assert len(before) == len(after)
    assert set(before) != set(after)
    visitor.page.evaluate("twinvec.removeStored('again')")


def test_a_full_disk_is_an_error_with_figures_and_loses_nothing(
    visitor: Tab, test_site: str
) -> None:
    page = visitor.page
    page.evaluate(KEEP, ["full", TEXTS])
    before = page.evaluate(FILES, "full")
    session = page.context.new_cdp_session(page)
    origin = test_site.partition("/docs")[0]
    used = page.evaluate("navigator.storage.estimate().then(({ usage }) => usage)")
    session.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": used + 2000})
    try:
        message = (
            r'StorageError: keeping "full" needs \d+\.\d MB, and this browser has \d+\.\d MB left '
            r"for this site, of \d+\.\d MB\. Delete a kept index"
        )
        texts = [f"{'lorem ipsum ' * 20} {number}" for number in range(100)]
        with pytest.raises(Error, match=message):
            page.evaluate(KEEP, ["full", texts])
        with pytest.raises(Error, match="StorageError"):
            page.evaluate(KEEP, ["new", texts])
    finally:
        session.send("Storage.overrideQuotaForOrigin", {"origin": origin})
    assert page.evaluate(FILES, "full") == before
    assert page.evaluate(SEARCH, {"stored": "full"})[0] == 3
    assert listed(visitor) == {"full": 3}
    page.evaluate("twinvec.removeStored('full')")


@contextmanager
def lacking(tab: Tab, *methods: str) -> Iterator[None]:
    """Let the browser have no such methods of files."""
    tab.javascript(
        """
        const { prototype } = FileSystemFileHandle;
        globalThis.methods = payload.map((name) => [name, prototype[name]]);
        for (const name of payload) delete prototype[name];
        """,
        methods,
    )
    try:
        yield
    finally:
        tab.javascript(
            "for (const [name, method] of methods) FileSystemFileHandle.prototype[name] = method;"
        )


def test_a_browser_that_cannot_write_is_an_error(visitor: Tab) -> None:
    message = r'StorageError: keeping "none": .* cannot write .* save the index as a file'
    with (
        lacking(visitor, "createWritable", "createSyncAccessHandle"),
        pytest.raises(Error, match=message),
    ):
        visitor.page.evaluate(KEEP, ["none", TEXTS])
    assert listed(visitor) == {}


@pytest.mark.parametrize("methods", [["createWritable"], ["createWritable", "move"]])
def test_a_browser_that_only_writes_in_place_keeps_indexes(
    visitor: Tab, methods: list[str]
) -> None:
    """Safari before version 26."""
    page = visitor.page
    with lacking(visitor, *methods):
        page.evaluate(KEEP, ["old", TEXTS])
        page.evaluate(KEEP, ["old", TEXTS[::-1][:2]])  # shorter
    size, hits = page.evaluate(SEARCH, {"stored": "old"})
    assert (size, {hit["text"] for hit in hits}) == (2, set(TEXTS[1:]))
    files = page.evaluate(FILES, "old")
    assert not any(name.endswith(".part") for name in files)
    page.evaluate("twinvec.removeStored('old')")


def test_an_index_that_is_being_replaced_is_opened(visitor: Tab, test_site: str) -> None:
    """Another tab replaces it again and again."""
    visitor.page.evaluate(KEEP, ["busy", TEXTS])
    other = visitor.page.context.new_page()
    other.goto(f"{test_site}test.html")
    other.evaluate("opened")
    other.evaluate(
        """async (texts) => {
          const indexes = await Promise.all(texts.map(() => extractor.createIndex()));
          for (const [i, index] of indexes.entries()) await index.add(texts.slice(i));
          globalThis.saving = (async () => {
            for (let i = 0; i < 60; i++) await indexes[i % 3].save("busy");
          })();
        }""",
        TEXTS,
    )
    outcomes = visitor.page.evaluate(
        """async () => {
          const outcomes = [];
          for (let i = 0; i < 50; i++) {
            const opening = extractor.openIndex({ stored: "busy" });
            outcomes.push(await opening.then(() => "opened", String));
          }
          return outcomes;
        }"""
    )
    assert outcomes == ["opened"] * 50
    other.evaluate("saving")
    other.close()
    visitor.page.evaluate("twinvec.removeStored('busy')")


def test_saving_asks_the_browser_not_to_delete_it(visitor: Tab) -> None:
    requests = visitor.page.evaluate(
        """async () => {
          const { persist } = StorageManager.prototype;
          let requests = 0;
          StorageManager.prototype.persist = function () {
            requests++;
            return persist.call(this);
          };
          const index = await extractor.createIndex();
          await index.add("a");
          await index.save("asked");
          const opened = await extractor.openIndex("index/");
          await opened.keepOffline();
          StorageManager.prototype.persist = persist;
          return requests;
        }"""
    )
    assert requests == 2
    visitor.page.evaluate("twinvec.removeStored('asked')")


def test_a_half_written_folder_is_no_index(visitor: Tab) -> None:
    page = visitor.page
    page.evaluate(KEEP, ["half", TEXTS])
    page.evaluate(
        """async () => {
          const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("twinvec");
          await (await root.getDirectoryHandle("half.index")).removeEntry("index.json");
        }"""
    )
    assert listed(visitor) == {}
    with pytest.raises(Error, match="IndexFormatError: no whole index is kept here"):
        page.evaluate(SEARCH, {"stored": "half"})
    page.evaluate(KEEP, ["half", TEXTS])
    assert page.evaluate(SEARCH, {"stored": "half"})[0] == 3
    page.evaluate("twinvec.removeStored('half')")


def test_a_damaged_file_is_an_error(visitor: Tab) -> None:
    page = visitor.page
    page.evaluate(KEEP, ["damaged", TEXTS])
    page.evaluate(
        """async () => {
          const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("twinvec");
          const folder = await root.getDirectoryHandle("damaged.index");
          for await (const [name, handle] of folder.entries()) {
            if (!name.startsWith("vectors")) continue;
            const size = (await handle.getFile()).size;
            const stream = await handle.createWritable({ keepExistingData: true });
            await stream.write({ type: "write", position: size - 2, data: new Uint8Array([1]) });
            await stream.close();
          }
        }"""
    )
    with pytest.raises(Error, match="IntegrityError: vectors-"):
        page.evaluate(SEARCH, {"stored": "damaged"})
    page.evaluate("twinvec.removeStored('damaged')")


def test_a_browser_without_storage_is_a_storage_error(visitor: Tab) -> None:
    """Private windows have none in some browsers."""
    visitor.javascript(
        """
        globalThis.getDirectory = StorageManager.prototype.getDirectory;
        const refuse = () => Promise.reject(new DOMException("", "SecurityError"));
        StorageManager.prototype.getDirectory = refuse;
        """
    )
    try:
        for call in (KEEP, f"([name]) => ({SEARCH})({{ stored: name }})"):
            with pytest.raises(Error, match="StorageError: this browser keeps no indexes here"):
                visitor.page.evaluate(call, ["any", TEXTS])
    finally:
        visitor.javascript("StorageManager.prototype.getDirectory = getDirectory;")


def test_a_name_is_needed(visitor: Tab) -> None:
    with pytest.raises(Error, match="TypeError: a name is needed"):
        visitor.page.evaluate(KEEP, ["", TEXTS])


def test_one_file_goes_both_ways(visitor: Tab, embedder: Embedder, tmp_path: Path) -> None:
    visitor.page.evaluate(KEEP, ["file", TEXTS])
    content = exported(visitor, "file")
    visitor.page.evaluate("twinvec.removeStored('file')")
    size, hits = imported(visitor, content)
    assert size == 3
    (tmp_path / "theirs.zip").write_bytes(content)
    natively = Index.load(tmp_path / "theirs.zip").search("bear", embedder, mode="hybrid")
    assert [hit["text"] for hit in hits] == [hit.text for hit in natively]
    Index.build(TEXTS, embedder).save(tmp_path / "ours.zip")
    assert imported(visitor, (tmp_path / "ours.zip").read_bytes())[1] == hits


def test_a_file_of_another_kind_is_an_error(visitor: Tab) -> None:
    with pytest.raises(Error, match=r"IndexFormatError: .* cannot be read as a ZIP archive"):
        imported(visitor, b"no archive")
