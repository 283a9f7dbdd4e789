"""An index in the browser: the same ranking as natively, and errors in its files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Error, Response, Route

from conftest import DIST, SUB_PATH, Tab, open_tab, serving_tests
from indexes import change_manifest
from twinvec import Embedder, Index, IndexWriter, normalize
from twinvec.site.serve import StaticHandler

pytestmark = pytest.mark.browser

QUERIES = 200
PASSAGES = 300
CORPUS = "search"
"""The indexed documentation in `dist/`, of precision int8."""


@dataclass
class Site:
    """A tab, and the folder that its site is served from."""

    tab: Tab
    folder: Path

    def copy(self, name: str, index: Path | str = "int8") -> Path:
        """Copy an index to an address that nothing is cached of."""
        shutil.copytree(self.folder / index, self.folder / name)
        return self.folder / name

    def search(self, name: str, queries: list[str], **options: Any) -> Any:
        """Open an index, and search for each query."""
        return self.tab.page.evaluate(
            """async ([name, queries, options]) => {
              const index = await extractor.openIndex(name);
              const results = [];
              for (const query of queries) results.push(await index.search(query, options));
              return results;
            }""",
            [name, queries, options],
        )


def passages() -> list[str]:
    """Take paragraphs of Python's documentation."""
    parts = (
        " ".join(part.split()) for name in sorted(topics) for part in topics[name].split("\n\n")
    )
    return list(dict.fromkeys(part for part in parts if 60 < len(part) < 400))[:PASSAGES]


def questions() -> list[str]:
    """Make queries from headings (`shutil.copytree`) and from beginnings of passages."""
    documents = Index.load(DIST / CORPUS).documents()
    queries: list[str] = []
    for document in documents[:: len(documents) // QUERIES][:QUERIES]:
        heading, _, rest = document.text.partition("\n")
        words = re.findall(r"\w+", rest)[:8]
        queries.append(" ".join(words) if len(queries) % 2 and len(words) > 4 else heading)
    return queries


def write_corpus(folder: Path, precision: Any) -> None:
    """Write the indexed documentation in another precision, with the vectors of the index."""
    index = Index.load(DIST / CORPUS)
    shards = json.loads((DIST / CORPUS / "index.json").read_bytes())["shards"]
    codes, scales = (
        np.concatenate([np.load(DIST / CORPUS / shard["file"]) for shard in shards[kind]])
        for kind in ("codes", "scales")
    )
    with IndexWriter(folder, index.fingerprint, precision=precision, dim=index.dim) as writer:
        writer.add(index.documents(), normalize(codes * scales[:, np.newaxis]))


@pytest.fixture(scope="module")
def site(
    browser: Browser, embedder: Embedder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """An index with enough vectors for int8 to select candidates, beside the demo's corpus."""
    folder = tmp_path_factory.mktemp("search")
    texts = passages()
    draw = np.random.default_rng(0)
    real = embedder.encode_document(texts)
    noise = draw.standard_normal((20, *real.shape)).astype(np.float32) / real.shape[1] ** 0.5
    near = normalize(real + noise).reshape(-1, real.shape[1])
    with serving_tests(folder) as address:
        index = Index(embedder.fingerprint, dim=real.shape[1], precision="int8")
        numbers = [{"number": i % 7} for i in range(len(texts))]
        index.add_vectors(
            texts, real, ids=[f"real-{i}" for i in range(len(texts))], metadata=numbers
        )
        index.add_vectors([f"noise number {i}" for i in range(len(near))], near)
        index.save(folder / SUB_PATH / "int8")
        for precision in ("float32", "binary"):
            write_corpus(folder / SUB_PATH / precision, precision)
        tab = open_tab(browser, address)
        yield Site(tab, folder / SUB_PATH)
        tab.page.context.close()


@pytest.mark.parametrize("mode", ["semantic", "hybrid", "lexical"])
@pytest.mark.parametrize("name", ["float32", CORPUS, "binary"])
def test_both_runtimes_rank_alike(site: Site, embedder: Embedder, name: str, mode: Any) -> None:
    queries = questions()
    assert len(set(queries)) > 0.9 * QUERIES
    index = Index.load(site.folder / name)
    assert len(index) > 4096  # so that int8 and binary select candidates
    results = site.search(name, queries, k=10, mode=mode)
    largest = 0.0
    for query, hits in zip(queries, results, strict=True):
        expected = index.search(query, embedder, k=10, mode=mode)
        assert [hit["id"] for hit in hits] == [hit.id for hit in expected], query
        assert [hit["text"] for hit in hits] == [hit.text for hit in expected]
        pairs = zip(hits, expected, strict=True)
        largest = max([largest, *(abs(hit["score"] - native.score) for hit, native in pairs)])
    print(f"{index.precision}, {mode}: scores differ by {largest:.1e} at most")
    assert largest <= 1e-6


def test_accents_are_found_however_they_are_written(site: Site, embedder: Embedder) -> None:
    texts = ["Das Caf\u00e9 in M\u00fcnchen", "a car", "das Cafe\u0301 in Mu\u0308nchen"]
    Index.build(texts, embedder).save(site.folder / "accents")
    many = [f"unknown{number}" for number in range(100)]
    queries = ["CAF\u00c9", "mu\u0308nchen", " ".join([*many, "mu\u0308nchen"]), "cafe"]
    results = site.search("accents", queries, mode="lexical")
    positions = [[hit["position"] for hit in hits] for hits in results]
    assert positions == [[0, 2], [0, 2], [0, 2], []]


def test_a_vector_a_filter_and_metadata(site: Site, embedder: Embedder) -> None:
    (vector,) = embedder.encode_query("What is a list?")
    hits = site.tab.page.evaluate(
        """async (numbers) => {
          const index = await extractor.openIndex("int8");
          const filter = { number: [3, 5] };
          return index.searchVector(new Float32Array(numbers), { k: 5, filter });
        }""",
        vector.tolist(),
    )
    index = Index.load(site.folder / "int8")
    expected = index.search_vector(vector, k=5, filter={"number": [3, 5]})
    assert [(hit["id"], hit["metadata"]) for hit in hits] == [
        (hit.id, hit.metadata) for hit in expected
    ]
    assert {hit.metadata["number"] for hit in expected} <= {3, 5}


@pytest.mark.parametrize("key", ["constructor", "__proto__", "toString", "hasOwnProperty"])
def test_any_key_of_metadata_is_filtered_by(site: Site, key: str) -> None:
    results = site.tab.page.evaluate(
        """async (key) => {
          const entry = (value) => JSON.parse(`{"${key}": "${value}"}`);
          const index = await extractor.createIndex();
          await index.add(["red", "blue"], { metadata: [entry("r"), { inner: entry("b") }] });
          const hits = await index.search("blue", { filter: entry("r") });
          const [document, other] = await index.documents();
          const values = [hits[0], document].map(({ metadata }) => Object.entries(metadata));
          return [hits.length, values, Object.entries(other.metadata.inner)];
        }""",
        key,
    )
    assert results == [1, [[[key, "r"]]] * 2, [[key, "b"]]]


def test_an_index_is_added_to(site: Site) -> None:
    size, hits, documents = site.tab.page.evaluate(
        """async () => {
          const index = await extractor.openIndex("int8");
          await index.add("A zebrafish swims.", { ids: ["zebra"], metadata: [{ kind: "fish" }] });
          const hits = await index.search("zebrafish", { k: 1, mode: "hybrid" });
          return [index.size, hits, await index.documents(-1)];
        }"""
    )
    assert size == PASSAGES * 21 + 1
    expected = {"id": "zebra", "text": "A zebrafish swims.", "metadata": {"kind": "fish"}}
    assert expected.items() <= hits[0].items()
    assert documents == [expected]


def test_wrong_arguments_are_errors(site: Site) -> None:
    def message(call: str) -> str:
        catch = "catch((e) => `${e.name}: ${e.message}`)"
        source = f"extractor.openIndex('int8').then((i) => {call}).{catch}"
        answer: str = site.tab.page.evaluate(source)
        return answer

    assert message("i.search(new Float32Array(2))").startswith("TypeError: query must be a string")
    assert message("i.searchVector([1, 2])").startswith("TypeError: vector must be a Float32Array")
    assert "searchVector has no option mode" in message(
        "i.searchVector(new Float32Array(384), { mode: 'hybrid' })"
    )
    assert "2 dims and the index 384" in message("i.searchVector(new Float32Array(2))")
    assert "unknown mode" in message("i.search('a', { mode: 'words' })")
    assert "not finite" in message("i.searchVector(new Float32Array(384).fill(NaN))")
    assert "the id 'real-1' is already in use" in message("i.add('a', { ids: ['real-1'] })")
    assert "KeyError" not in message("i.search('a', { filter: { none: 1 }, k: 1 })")


def test_only_hits_are_read_and_a_second_visit_reads_less(site: Site) -> None:
    site.copy("visited")
    answers: list[tuple[str, int]] = []

    def note(response: Response) -> None:
        answers.append((response.url.rpartition("/")[2].partition("-")[0], response.status))

    site.tab.page.context.on("response", note)
    events = site.tab.page.evaluate(
        """async () => {
          const events = [];
          const progress_callback = (event) => events.push(event);
          const index = await extractor.openIndex("visited", { progress_callback });
          await index.search("What is a list?", { k: 2 });
          return events;
        }"""
    )
    progress = [event["loaded"] for event in events]
    assert progress == sorted(progress)
    assert events[-1]["loaded"] == events[-1]["total"]
    urls = [url for url in site.tab.requests if "/visited/" in url]
    kinds = [url.rpartition("/")[2].partition("-")[0] for url in urls]
    assert sorted(set(kinds)) == ["codes", "documents", "index.json", "lines", "scales"]
    assert {status for kind, status in answers if kind == "documents"} == {206}
    site.tab.requests.clear()
    site.search("visited", ["What is a list?"], k=2)
    again = {url.rpartition("/")[2].partition("-")[0] for url in site.tab.requests}
    assert again == {"index.json", "documents"}


def test_a_server_without_ranges(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def whole(self: StaticHandler, *_: Any) -> Any:
        del self.headers["Range"]
        return self.send_head()

    queries = ["What is a list?", "zip two sequences"]
    expected = site.search("int8", queries, mode="hybrid")
    site.copy("rangeless")
    monkeypatch.setattr(StaticHandler, "send_range", whole)
    assert site.search("rangeless", queries, mode="hybrid") == expected


def test_a_full_disk_loses_nothing(site: Site) -> None:
    expected = site.search("int8", ["What is a list?"])
    site.copy("full")
    full = (
        'CacheStorage.prototype.open = () => { throw new DOMException("full", "QuotaExceeded") };'
    )
    site.tab.javascript(f"self.openCache = CacheStorage.prototype.open; {full}")
    try:
        assert site.search("full", ["What is a list?"]) == expected
    finally:
        site.tab.javascript("CacheStorage.prototype.open = self.openCache;")


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def page(file: Path) -> None:
    file.write_text("<!doctype html><title>404</title>", encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "spoil", "message"),
    [
        ("codes", flipped, "IntegrityError: codes-"),
        ("codes", Path.unlink, "the server answered 404; is the whole folder"),
        ("codes", page, "IntegrityError: codes-"),
        ("lines", flipped, "IntegrityError: lines-"),
        ("documents", Path.unlink, "the server answered 404; is the whole folder"),
        ("documents", page, "IntegrityError: documents-"),
        ("terms", flipped, "IntegrityError: terms-"),
        ("postings", Path.unlink, "the server answered 404; is the whole folder"),
        (
            "index.json",
            page,
            "IndexFormatError: index.json is damaged, or the server sent another page",
        ),
        ("index.json", Path.unlink, "index.json: the server answered 404"),
    ],
)
def test_damage_is_an_error(
    site: Site, kind: str, spoil: Callable[[Path], None], message: str
) -> None:
    name = f"damaged-{kind}-{spoil.__name__}"
    (file,) = site.copy(name).glob(f"{kind}*")
    spoil(file)
    with pytest.raises(Error) as raised:
        site.search(name, ["What is a list?"], mode="hybrid")
    assert message in str(raised.value)


def test_a_flipped_byte_of_a_line_is_an_error(site: Site) -> None:
    (file,) = site.copy("flipped-line").glob("documents-*")
    file.write_bytes(file.read_bytes().replace(b'"real-', b'"reel-'))
    with pytest.raises(Error, match=r"IntegrityError: documents-.* bytes: hash mismatch"):
        site.search("flipped-line", ["What is a list?"])


def test_a_broken_connection_is_an_error_and_the_next_try_works(site: Site) -> None:
    site.copy("broken")
    site.tab.page.evaluate("extractor.openIndex('broken').then((i) => { globalThis.broken = i; })")
    context = site.tab.page.context

    def fail(route: Route) -> None:
        route.abort()

    context.route("**/broken/**", fail)
    with pytest.raises(Error, match=r"DownloadError: .*documents-.* cannot be reached"):
        site.tab.page.evaluate("broken.search('What is a list?')")
    with pytest.raises(Error, match=r"DownloadError: .*index\.json cannot be reached"):
        site.search("broken", ["What is a list?"])
    context.unroute("**/broken/**", fail)
    assert len(site.tab.page.evaluate("broken.search('What is a list?')")) == 10


def test_an_index_that_is_replaced_while_it_is_opened(site: Site, embedder: Embedder) -> None:
    """The server gets the new files when the old `index.json` was read."""
    folder = site.copy("replaced")
    context = site.tab.page.context

    def replace(route: Route) -> None:
        if (folder / "index.json").stat().st_size > 0 and not (folder / "new").exists():
            Index.build(["A panda eats bamboo."], embedder).save(folder)
            (folder / "new").touch()
        route.continue_()

    context.route("**/replaced/codes-*", replace)
    try:
        ((hit,),) = site.search("replaced", ["What is a panda?"])
    finally:
        context.unroute("**/replaced/codes-*", replace)
    assert hit["text"] == "A panda eats bamboo."


def test_keeping_without_room_names_the_file_and_the_space(site: Site) -> None:
    site.copy("roomless")
    full = 'Cache.prototype.put = () => { throw new DOMException("", "QuotaExceededError"); };'
    site.tab.javascript(f"self.put = Cache.prototype.put; {full}")
    message = (
        r"StorageError: http\S*/roomless/\S+ cannot be kept, which needs \d+\.\d MB \(all files: "
        r"\d+\.\d MB\): this browser has \d+\.\d MB left for this site, of \d+\.\d MB"
    )
    try:
        with pytest.raises(Error, match=message):
            site.tab.page.evaluate(
                "extractor.openIndex('roomless').then((index) => index.keepOffline())"
            )
    finally:
        site.tab.javascript("Cache.prototype.put = self.put;")


def test_a_half_written_folder_is_an_error(site: Site) -> None:
    folder = site.copy("half")
    (folder / "index.json").unlink()
    with pytest.raises(Error, match=r"index\.json: the server answered 404"):
        site.search("half", ["a"])


def test_an_index_of_another_model_is_an_error(site: Site) -> None:
    folder = site.copy("foreign")
    fingerprint = json.loads((folder / "index.json").read_bytes())["fingerprint"]
    change_manifest(folder, fingerprint={**fingerprint, "model": "some/model", "pooling": "cls"})
    message = (
        r"IndexMismatchError: .*model \(index: some/model, embedder: .*\); "
        r"pooling \(index: cls, embedder: mean\)\. Build the index again with this embedder"
    )
    with pytest.raises(Error, match=message):
        site.search("foreign", ["a"])


def test_a_disposed_index_frees_its_memory(site: Site) -> None:
    answers = site.tab.page.evaluate(
        """async () => {
          const index = await extractor.openIndex("int8");
          const pending = index.search("What is a list?");
          await index.dispose();
          await index.dispose();
          const error = await index.search("a").catch((error) => `${error}`);
          const file = await (await extractor.createIndex()).export();
          const imported = await extractor.openIndex(file);
          await imported.dispose();
          return [(await pending).length, error];
        }"""
    )
    assert answers == [10, "TypeError: this index was disposed of; open it again"]
    left = site.tab.javascript("return pyodide.FS.readdir('/tmp');")
    assert not [file for file in left if file.endswith(".zip")]
