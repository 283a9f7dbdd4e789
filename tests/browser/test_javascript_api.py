"""`twinvec.js` as a page uses it; its calls are those of Transformers.js."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conftest import Tab
from twinvec import Embedder, quantize_embeddings

pytestmark = pytest.mark.browser

BOUND = 5e-7  # as in test_parity.py
TEXTS = ["What is a panda?", "Hello world.", "word " * 300]

REJECTION = """async ([call]) => {
  try {
    await eval(call);
  } catch (error) {
    return [error.name, error.message, error.constructor.name];
  }
}"""


def assert_no_worker_is_left(tab: Tab) -> None:
    """But those of the tab's own pipeline; a worker takes a moment to end."""
    own = 1 + tab.page.evaluate("extractor.versions.sessions")
    for _ in range(100):
        if len(tab.page.workers) == own:
            return
        tab.page.wait_for_timeout(50)
    assert [worker.url for worker in tab.page.workers][own:] == []


def rejection(tab: Tab, call: str) -> list[str]:
    answer: list[str] = tab.page.evaluate(REJECTION, [call])
    return answer


def test_one_string_gives_one_row(tab: Tab, embedder: Embedder) -> None:
    tensor = tab.page.evaluate(
        """async () => {
          const tensor = await extractor("Hello world.", { pooling: "mean", normalize: true });
          const list = tensor.tolist();
          const { dims, type, size, data } = tensor;
          return { dims, type, size, rows: list.length, dim: list[0].length,
                   array: data instanceof Float32Array, same: list[0][5] === data[5] };
        }"""
    )
    dim = embedder.info.dim
    same = {"type": "float32", "size": dim, "rows": 1, "dim": dim, "array": True, "same": True}
    assert tensor == {"dims": [1, dim], **same}


def test_defaults_are_those_of_transformers_js(tab: Tab, embedder: Embedder) -> None:
    """No pooling, no normalization: one vector for each token."""
    states = embedder.encode_tokens(["Hello world."], normalize=False)[0]
    dims, value = tab.page.evaluate(
        """async () => {
          const tensor = await extractor("Hello world.");
          return [tensor.dims, tensor.tolist()[0][1][2]];
        }"""
    )
    assert dims == [1, *states.shape]
    assert value == pytest.approx(float(states[1, 2]), abs=1e-5)


@pytest.mark.parametrize("precision", ["binary", "ubinary"])
def test_quantized_vectors(tab: Tab, embedder: Embedder, precision: Any) -> None:
    expected = quantize_embeddings(embedder.encode(TEXTS), precision)
    call = """async ([texts, precision]) => {
      const options = { pooling: "mean", normalize: true, quantize: true, precision };
      const { dims, type, data } = await extractor(texts, options);
      return { dims, type, data: Array.from(data) };
    }"""
    tensor = tab.page.evaluate(call, [TEXTS, precision])
    assert tensor["dims"] == list(expected.shape)
    assert tensor["type"] == str(expected.dtype)
    # A bit may differ where a value lies within 2e-7 of zero, which none of these does.
    assert tensor["data"] == expected.ravel().tolist()


def test_prompts_and_counts(tab: Tab, embedder: Embedder) -> None:
    call = """async ([texts, prompt]) => {
      const tensor = await extractor(texts, { pooling: "mean", normalize: true, prompt });
      return [Array.from(tensor.data), await extractor.countTokens(texts)];
    }"""
    data, counts = tab.page.evaluate(call, [TEXTS, "query: "])
    expected = embedder.encode(TEXTS, prompt="query: ")
    assert np.max(np.abs(np.reshape(data, expected.shape) - expected)) <= BOUND
    assert counts == embedder.count_tokens(TEXTS)


def test_limits(tab: Tab, embedder: Embedder) -> None:
    limits: dict[str, Any] = {"max_length": 5, "truncate_dim": 64}
    limited = tab.page.evaluate(
        """async (limits) => {
          const limited = await twinvec.pipeline("feature-extraction", null, limits);
          const index = await limited.openIndex("index/").catch((error) => error.message);
          const tensor = await limited("word ".repeat(9), { pooling: "mean", normalize: true });
          await limited.dispose();
          return { data: Array.from(tensor.data), index, ...limited.versions };
        }""",
        limits,
    )
    native = Embedder.from_pretrained(embedder.info.name, **limits)
    difference = np.abs(limited["data"] - native.encode(["word " * 9])[0])
    assert np.max(difference) <= BOUND
    assert limited["fingerprint"] == native.fingerprint
    for field in ("max_length (index: 256, embedder: 5)", "dim (index: 384, embedder: 64)"):
        assert field in limited["index"]  # the site's index was built without limits
    assert limited["deviation"] <= BOUND
    native.close()


def test_null_means_the_default(tab: Tab, embedder: Embedder) -> None:
    """As in Transformers.js."""
    versions, dims, hits = tab.page.evaluate(
        """async () => {
          const options = { dtype: null, max_length: null, truncate_dim: null, self_check: null };
          const other = await twinvec.pipeline("feature-extraction", null, options);
          const { dims } = await other("a", { pooling: null, prompt: null, precision: null });
          const hits = await (await other.openIndex("index/")).search("a", null);
          await other.dispose();
          return [other.versions, dims, hits.length];
        }"""
    )
    assert versions["fingerprint"] == embedder.fingerprint
    assert versions["deviation"] <= BOUND
    assert dims == [1, 3, embedder.info.dim]
    assert hits == 3


def test_adding_counts_truncated_texts(tab: Tab) -> None:
    before, after = tab.page.evaluate(
        """async (texts) => {
          const index = await extractor.openIndex("index/");
          const { truncated } = await index.add("short");
          await index.search("long ".repeat(1000)); // a query does not count
          return [truncated, (await index.add(texts)).truncated];
        }""",
        TEXTS,
    )
    assert after == before + 1


def test_no_texts(tab: Tab, embedder: Embedder) -> None:
    call = """async (pooling) => {
      const tensor = await extractor([], { pooling });
      return [tensor.dims, tensor.tolist()];
    }"""
    assert tab.page.evaluate(call, "mean") == [[0, embedder.info.dim], []]
    assert tab.page.evaluate(call, "none") == [[0, 0, embedder.info.dim], []]


def test_cos_sim_and_dot(tab: Tab) -> None:
    assert tab.page.evaluate("twinvec.dot([1, 2], [3, 4])") == 11
    assert tab.page.evaluate("twinvec.cos_sim([1, 0], [2, 0])") == 1
    assert tab.page.evaluate("twinvec.cos_sim([0, 0], [1, 0])") == 0
    assert "2 and 1 dims" in rejection(tab, "twinvec.dot([1, 2], [1])")[1]


@pytest.mark.parametrize(
    ("call", "name", "message"),
    [
        ("extractor([1])", "TypeError", "texts[0] must be a string, not number"),
        ("extractor(['a', null])", "TypeError", "texts[1] must be a string, not null"),
        ("extractor(null)", "TypeError", "must be a string or an array of strings"),
        ("extractor(['a'], { pooling: 'max' })", "ValueError", "unknown pooling 'max'"),
        ("extractor(['a'], { quantize: true })", "ValueError", "must be [n, dim], not of shape"),
        (
            "extractor(['a'], { pooling: 'mean', quantize: true, precision: 'int4' })",
            "ValueError",
            "unknown precision 'int4'; use one of: int8, uint8, binary, ubinary",
        ),
        ("extractor(['a'], { top_k: 3 })", "TypeError", "no option top_k"),
        (
            "extractor.openIndex('index/').then((index) => index.search('x', { top_k: 3 }))",
            "TypeError",
            "search has no option top_k; it has k",
        ),
        (
            "extractor.openIndex('index/').then((index) => index.search(new Float32Array(384)))",
            "TypeError",
            "query must be a string; to search for a vector, call searchVector",
        ),
        (
            "extractor.openIndex('index/').then((index) => index.searchVector('x'))",
            "TypeError",
            "vector must be a Float32Array; to search for a text, call search",
        ),
        (
            "extractor.openIndex('index/').then((i) => i.search('x', { k: 0 }))",
            "TypeError",
            "k must be a whole number >= 1, not 0",
        ),
        (
            "extractor.createIndex().then((i) => i.add('x', { metadata: [nested(101)] }))",
            "TypeError",
            "metadata is nested deeper than 100 levels",
        ),
        (
            "extractor.createIndex().then((i) => i.search('x', { filter: nested(100_000) }))",
            "TypeError",
            "filter is nested deeper than 100 levels",
        ),
        (
            "extractor.createIndex().then((i) => i.add('x', { metadata: [() => {}] }))",
            "TypeError",
            "the arguments of add cannot be sent to a worker: DataCloneError",
        ),
        ("extractor('x', { prompt: 5 })", "TypeError", "prompt must be a str, not int"),
        (
            "twinvec.pipeline('feature-extraction', null, { max_length: 10.5 })",
            "TypeError",
            "max_length must be a whole number, not float",
        ),
        ("extractor.countTokens([1])", "TypeError", "texts[0] must be a string, not number"),
        (
            "twinvec.pipeline('feature-extraction', null, { max_length: 9999 })",
            "ValueError",
            "max_length must be between 1 and",
        ),
        ("twinvec.pipeline('translation')", "TypeError", '"feature-extraction"'),
        (
            "twinvec.pipeline('feature-extraction', 'no/such')",
            "ModelNotFoundError",
            "this site has no model no/such; it has ",
        ),
        (
            "twinvec.pipeline('feature-extraction', undefined, { dtype: 'q4' })",
            "ModelNotFoundError",
            "has no dtype q4 here; it has fp32",
        ),
        (
            "twinvec.pipeline('feature-extraction', undefined, { revision: 'main' })",
            "TypeError",
            "no option revision",
        ),
    ],
)
def test_wrong_calls(tab: Tab, call: str, name: str, message: str) -> None:
    tab.page.evaluate(
        "globalThis.nested = (n) => { let o = 1; while (n-- > 0) o = { o }; return o; }; 0"
    )
    error = rejection(tab, call)
    assert error[0] == name
    assert message in error[1]
    assert error[2] == ("TypeError" if name == "TypeError" else "Error")


def test_calls_may_overlap(tab: Tab) -> None:
    same = tab.page.evaluate(
        """async () => {
          const options = { pooling: "mean" };
          const alone = await extractor("Hello world.", options);
          const calls = ["a", "Hello world.", "c c c"].map((text) => extractor(text, options));
          const [, together] = await Promise.all(calls);
          return alone.data.every((value, i) => value === together.data[i]);
        }"""
    )
    assert same is True


def test_a_call_reports_its_progress(tab: Tab) -> None:
    events = tab.page.evaluate(
        """async () => {
          const events = [];
          const progress_callback = (event) => events.push(event);
          await extractor(["a", "b"], { progress_callback });
          const index = await extractor.openIndex("index/");
          await index.add(["c"], { progress_callback });
          return events;
        }"""
    )
    first = {"status": "progress", "progress": 50, "loaded": 1, "total": 2}
    whole = {"status": "progress", "progress": 100}
    expected = [first, {**whole, "loaded": 2, "total": 2}, {**whole, "loaded": 1, "total": 1}]
    assert events == expected


def test_an_aborted_call_ends_and_others_go_on(tab: Tab) -> None:
    name, reason, done, later, texts = tab.page.evaluate(
        """async () => {
          const controller = new AbortController();
          let done = 0;
          const progress_callback = ({ loaded }) => {
            done = loaded;
            if (loaded === 5) controller.abort();
          };
          const { signal } = controller;
          const many = Array.from({ length: 1000 }, (_, i) => `text number ${i}`);
          const index = await extractor.openIndex("index/");
          const aborted = index.add(many, { progress_callback, signal });
          const other = extractor("Hello world.", { pooling: "mean" });
          const name = await aborted.catch((error) => error.name);
          const reason = new Error("mine");
          const never = extractor("a", { signal: AbortSignal.abort(reason) });
          const same = await never.catch((error) => error === reason);
          return [name, same, done, (await other).dims[0], index.size];
        }"""
    )
    assert (name, reason, later, texts) == ("AbortError", True, 1, 3)
    assert 5 <= done <= 50  # some were computed before the message arrived


def test_progress_events(tab: Tab, manifest: dict[str, Any]) -> None:
    events: list[dict[str, Any]] = tab.page.evaluate("events")
    assert events[-1] == {
        "status": "ready",
        "task": "feature-extraction",
        "model": manifest["name"],
    }
    weights = [event for event in events if event.get("file") == "onnx/model.onnx"]
    statuses = [event["status"] for event in weights]
    assert statuses[:2] == ["initiate", "download"]
    assert statuses[-1] == "done"
    size = manifest["files"]["onnx/model.onnx"]["bytes"]
    last = weights[-2]
    assert (last["progress"], last["loaded"], last["total"]) == (100, size, size)
    totals = [event for event in events if event["status"] == "progress_total"]
    progress = [event["progress"] for event in totals]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert totals[-1]["total"] == sum(file["total"] for file in totals[-1]["files"].values()) > size


def test_two_indexes_stay_apart(tab: Tab) -> None:
    texts = tab.page.evaluate(
        """async () => {
          const [first, second] = await Promise.all([1, 2].map(() => extractor.openIndex("index")));
          await second.add("A text of its own.");
          const own = await second.search("A text of its own.", { k: 1 });
          return [first.size, (await first.search("x")).length, second.size, own[0].text];
        }"""
    )
    assert texts == [3, 3, 4, "A text of its own."]


def test_a_vector_is_ranked_as_its_text(tab: Tab) -> None:
    of_text, of_vector = tab.page.evaluate(
        """async () => {
          const index = await extractor.openIndex("index/");
          const query = "What is a panda?";
          const { pooling, query_prompt: prompt } = extractor.versions.fingerprint;
          const { data } = await extractor(query, { pooling, prompt, normalize: true });
          return [await index.search(query, { k: 2 }), await index.searchVector(data, { k: 2 })];
        }"""
    )
    assert of_vector == of_text


def test_the_page_is_not_blocked_by_encoding(tab: Tab) -> None:
    longest = tab.page.evaluate(
        """async () => {
          let last = performance.now(), longest = 0;
          const ticker = setInterval(() => {
            longest = Math.max(longest, performance.now() - last);
            last = performance.now();
          }, 10);
          const begun = performance.now();
          await extractor(Array(20).fill("word ".repeat(250)), { pooling: "mean" });
          clearInterval(ticker);
          return longest / (performance.now() - begun);
        }"""
    )
    assert longest < 0.5  # of the whole call; on the page's own thread it would be nearly all


def test_a_pipeline_can_be_made_in_a_worker_of_the_page(tab: Tab) -> None:
    dims = tab.page.evaluate(
        """() => new Promise((resolve, reject) => {
          const base = new URL("./", location.href);
          const source = `import { pipeline } from "${base}twinvec.js";
            const base = "${base}";
            const extractor = await pipeline("feature-extraction", null, { base });
            const { dims } = await extractor("Hello world.", { pooling: "mean" });
            await extractor.dispose(); // before this worker ends, and its own ones with it
            postMessage(dims);`;
          const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
          const worker = new Worker(url, { type: "module" });
          worker.onmessage = ({ data }) => { worker.terminate(); resolve(data); };
          worker.onerror = (event) => reject(new Error(event.message));
        })"""
    )
    assert dims[0] == 1


def test_a_callback_that_throws_leaves_no_worker(tab: Tab) -> None:
    answer = rejection(
        tab,
        """twinvec.pipeline("feature-extraction", null, { progress_callback: ({ status }) => {
          if (status === "ready") throw new Error("mine");
        } })""",
    )
    assert answer[1] == "mine"
    assert_no_worker_is_left(tab)


def test_a_disposed_pipeline_refuses(tab: Tab) -> None:
    message = tab.page.evaluate(
        """async () => {
          const second = await twinvec.pipeline("feature-extraction");
          const pending = second("under way").catch((error) => error.message);
          await second.dispose();
          return [await pending, await second("later").catch((error) => error.message)];
        }"""
    )
    assert message == ["the pipeline was disposed of"] * 2
    assert_no_worker_is_left(tab)
