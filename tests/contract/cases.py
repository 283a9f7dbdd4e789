"""The contract of all runtimes: each case gets an `Embedder` and runs on CPython and in Pyodide.

This file is sent to the browser unchanged, so it imports nothing but twinvec and NumPy.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec import (
    Embedder,
    Index,
    IndexFormatError,
    IndexMismatchError,
    InferenceError,
    IntegrityError,
    TruncationWarning,
    normalize,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MIXED = ["short", "a text of medium length, with some words", "word " * 120, "", "Hello world."]
SAME = 5e-7  # on unit vectors; between runtimes about 1.5e-7 was measured


def assert_same(left: NDArray[np.float32], right: NDArray[np.float32]) -> None:
    assert left.shape == right.shape, (left.shape, right.shape)
    assert np.max(np.abs(left - right)) <= SAME, np.max(np.abs(left - right))


def assert_raises(kind: type[Exception], text: str, call: Callable[[], Any]) -> None:
    try:
        call()
    except kind as err:
        assert text in str(err), f"{text!r} is not in {str(err)!r}"
    else:
        raise AssertionError(f"nothing raised {kind.__name__}")


async def shape_and_type(embedder: Embedder) -> None:
    vectors = embedder.encode(MIXED)
    assert vectors.shape == (len(MIXED), embedder.info.dim)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


async def no_texts(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, embedder.info.dim)
    assert (await embedder.aencode([])).dtype == np.float32
    assert embedder.encode_tokens([]) == []
    assert await embedder.aencode_tokens([]) == []


async def async_equals_sync(embedder: Embedder) -> None:
    assert_same(await embedder.aencode(MIXED), embedder.encode(MIXED))


async def list_equals_one_by_one(embedder: Embedder) -> None:
    single = np.concatenate([embedder.encode([text]) for text in MIXED])
    assert_same(embedder.encode(MIXED), single)
    assert_same(embedder.encode(MIXED[::-1]), single[::-1])


async def many_texts_keep_their_order(embedder: Embedder) -> None:
    long, short = "word " * 250, "Hello world."
    texts = [long if position % 3 else short for position in range(75)]
    vectors = embedder.encode(texts)
    once = embedder.encode([short, long])
    assert_same(vectors, once[[1 if position % 3 else 0 for position in range(75)]])


async def any_iterable_of_texts(embedder: Embedder) -> None:
    assert_same(embedder.encode(text for text in MIXED[:2]), embedder.encode(MIXED[:2]))


async def wrong_texts(embedder: Embedder) -> None:
    encode: Any = embedder.encode
    assert_raises(TypeError, "not one str", lambda: encode("Hello world."))
    assert_raises(TypeError, "texts[1] must be a str, not int", lambda: encode(["a", 5]))
    assert_raises(TypeError, "texts[0] must be a str, not NoneType", lambda: encode([None]))
    assert_raises(TypeError, "not NoneType", lambda: encode(None))
    assert_raises(TypeError, "not dict", lambda: encode({"a": 1}))
    assert_raises(TypeError, "not bytes", lambda: encode(b"a"))


async def wrong_names(embedder: Embedder) -> None:
    encode: Any = embedder.encode
    assert_raises(ValueError, "unknown pooling 'max'", lambda: encode(["a"], pooling="max"))
    assert_raises(ValueError, "unknown pooling ''", lambda: encode([], pooling=""))
    assert_raises(ValueError, "use encode_tokens", lambda: encode(["a"], pooling="none"))
    assert_raises(ValueError, "unknown dtype 'q3'", lambda: Embedder.from_pretrained(dtype="q3"))


async def poolings_agree(embedder: Embedder) -> None:
    states = embedder.encode_tokens(MIXED, normalize=False)
    assert [len(tokens.shape) for tokens in states] == [2] * len(MIXED)
    by_hand = {
        "mean": [tokens.mean(axis=0) for tokens in states],
        "cls": [tokens[0] for tokens in states],
        "last_token": [tokens[-1] for tokens in states],
    }
    encode: Any = embedder.encode
    for pooling, expected in by_hand.items():
        vectors = encode(MIXED, pooling=pooling, normalize=False)
        assert np.allclose(vectors, np.stack(expected), atol=1e-5), pooling
    assert_same(encode(MIXED, pooling="first_token"), encode(MIXED, pooling="cls"))
    assert_same(encode(MIXED, pooling="eos"), encode(MIXED, pooling="last_token"))


async def normalize_is_a_choice(embedder: Embedder) -> None:
    plain = embedder.encode(MIXED, normalize=False)
    norms = np.linalg.norm(plain, axis=1, keepdims=True)
    assert np.all(np.abs(norms - 1) > 1e-3)
    assert_same(plain / norms, embedder.encode(MIXED))


async def long_texts_lose_their_tail_only(embedder: Embedder) -> None:
    limit = embedder.info.max_length
    (states,) = embedder.encode_tokens(["word " * 3000])
    assert len(states) == limit
    head = "word " * (limit - 2)  # [CLS] and [SEP] stay
    assert_same(embedder.encode(["word " * 3000]), embedder.encode([head]))
    fifty_mb = "word " * 10_000_000  # the tokenizer itself would run out of memory
    assert_same(embedder.encode([fifty_mb]), embedder.encode([head]))


async def truncation_is_counted_and_warned_about_once(embedder: Embedder) -> None:
    limited = Embedder.from_pretrained(embedder.info.name, max_length=6)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        limited.encode(["short", "word " * 4])
        assert (limited.truncated, caught) == (0, [])
        limited.encode(["word " * 5, "short", "word " * 50])
        await limited.aencode(["word " * 9])
    assert limited.truncated == 3
    (warning,) = caught
    assert warning.category is TruncationWarning
    assert "longer than 6 tokens" in str(warning.message)
    assert_same(limited.encode(["word " * 50]), embedder.encode(["word " * 4]))


async def tokens_are_counted_before_truncation(embedder: Embedder) -> None:
    assert embedder.count_tokens(["", "word", "word " * 3000]) == [2, 3, 3002]
    assert embedder.count_tokens([]) == []
    count: Any = embedder.count_tokens
    assert_raises(TypeError, "not one str", lambda: count("word"))


async def limits_stay_within_the_models_own(embedder: Embedder) -> None:
    open_: Any = Embedder.from_pretrained
    maximum = embedder.info.max_length
    for name, limit in (("max_length", maximum + 1), ("max_length", 0), ("truncate_dim", 385)):
        call = partial(open_, embedder.info.name, **{name: limit})
        assert_raises(ValueError, f"{name} must be between 1 and", call)
    assert_raises(ValueError, "no room", lambda: open_(embedder.info.name, max_length=2))


async def truncate_dim_keeps_the_first_dims(embedder: Embedder) -> None:
    short = Embedder.from_pretrained(embedder.info.name, truncate_dim=64)
    leading = embedder.encode(MIXED, normalize=False)[:, :64]
    assert_same(short.encode(MIXED), normalize(leading))
    assert short.encode_tokens(["a"])[0].shape == (3, 64)
    assert short.encode([]).shape == (0, 64)
    index = Index.build(["a"], embedder)
    message = "dim (index: 384, embedder: 64)"
    assert_raises(IndexMismatchError, message, lambda: index.search("a", short))


async def prompts_come_before_every_text(embedder: Embedder) -> None:
    info = replace(embedder.info, query_prompt="query: ", document_prompt="passage: ")
    core, session = embedder.pipeline.core, embedder.pipeline.session
    prompted = Embedder(info, core, session, dtype=embedder.dtype)
    queries = embedder.encode(["query: a", "query: b c"])
    assert_same(prompted.encode_query(["a", "b c"]), queries)
    assert_same(await prompted.aencode_query(["a", "b c"]), queries)
    assert_same(prompted.encode_query("a"), queries[:1])
    assert_same(embedder.encode(["a", "b c"], prompt="query: "), queries)
    documents = embedder.encode(["passage: a"])
    assert_same(prompted.encode_document(["a"]), documents)
    assert_same(await prompted.aencode_document(["a"]), documents)
    (hit,) = Index.build(["a"], prompted).search_vector(documents)
    assert abs(hit.score - 1) < 1e-6
    assert_same(prompted.encode(["a"]), embedder.encode(["a"]))
    index = Index.build(["a"], embedder)
    message = "query_prompt (index: , embedder: query: )"
    assert_raises(IndexMismatchError, message, lambda: index.search("a", prompted))


async def progress_is_reported_after_each_text(embedder: Embedder) -> None:
    reports: list[tuple[int, int]] = []
    embedder.encode(MIXED, progress=lambda *counts: reports.append(counts))
    expected = [(done, len(MIXED)) for done in range(1, len(MIXED) + 1)]
    assert reports == expected
    await embedder.aencode(MIXED, progress=lambda *counts: reports.append(counts))
    assert reports == expected * 2


async def an_exception_of_progress_ends_the_call(embedder: Embedder) -> None:
    tokenized = []

    class Enough(Exception):
        pass

    class CountingCore:
        post_processor = embedder.pipeline.core.post_processor

        def encode(self, text: str) -> NDArray[Any]:
            tokenized.append(text)
            return embedder.pipeline.core.encode(text)

    def stop(done: int, _count: int) -> None:
        if done == 3:
            raise Enough

    session = embedder.pipeline.session
    counting = Embedder(embedder.info, CountingCore(), session, dtype=embedder.dtype)
    assert_raises(Enough, "", lambda: counting.encode(["a b c"] * 1000, progress=stop))
    assert len(tokenized) <= 3 + 4 * 64  # the rest was not even tokenized
    try:
        await embedder.aencode(["a b c"] * 1000, progress=stop)
    except Enough:
        pass
    else:
        raise AssertionError("nothing raised Enough")
    assert_same(embedder.encode(MIXED), await embedder.aencode(MIXED))


async def surrogates(embedder: Embedder) -> None:
    texts = ["a \ud800 b", "\udc4d", "\ud83d\udc4d"]
    clean = ["a \ufffd b", "\ufffd", "\U0001f44d"]
    assert_same(embedder.encode(texts), embedder.encode(clean))


async def a_failed_run_blocks_nothing(embedder: Embedder) -> None:
    bad = np.full((1, 4), 10**9, dtype=np.int64)
    good = np.ones((1, 4), dtype=np.int64)
    session = embedder.pipeline.session
    runs = [dict.fromkeys(session.input_names, ids) for ids in (bad, good)]
    assert_raises(InferenceError, "ONNX Runtime failed", lambda: list(session.run(runs)))
    try:
        async for _ in session.arun(runs):
            pass
    except InferenceError:
        pass
    else:
        raise AssertionError("nothing raised InferenceError")
    assert np.isfinite(embedder.encode(["Hello world."])).all()


async def index_ranks_and_survives_saving(embedder: Embedder) -> None:
    texts = ["Hello world.", "I love pandas so much!", "Hello world."]
    with tempfile.TemporaryDirectory() as folder:
        Index.build(texts, embedder).save(folder)
        index = Index.load(folder)
        hits = index.search("Hello world.", embedder, k=10)
        assert [hit.position for hit in hits] == [0, 2, 1], hits
        assert hits[0].text == texts[0]
        assert len(index.search("Hello world.", embedder, k=1)) == 1


async def an_index_is_the_same_async(embedder: Embedder) -> None:
    texts = ["Hello world.", "I love pandas so much!", "The weather is fine."]
    for precision in ("float32", "int8", "binary"):
        options: Any = {"precision": precision, "ids": ["x", "y", "z"]}
        index = await Index.abuild(texts, embedder, **options)
        await index.aadd(["A panda is a bear."], embedder, metadata=[{"kind": "animal"}])
        await index.aremove(["z"])
        with tempfile.TemporaryDirectory() as folder:
            await index.asave(folder)
            loaded = await Index.aload(folder)
            for mode in ("semantic", "lexical", "hybrid"):
                search: Any = {"query": "a panda", "k": 3, "mode": mode}
                hits = await loaded.asearch(embedder=embedder, **search)
                ranking = [(hit.id, hit.score, hit.text) for hit in hits]
                sync_hits = index.search(embedder=embedder, **search)
                assert ranking == [(hit.id, hit.score, hit.text) for hit in sync_hits], search
                assert hits[0].text == "A panda is a bear.", (precision, search)
            (hit,) = await loaded.asearch("x", embedder, filter={"kind": ["animal", "plant"]})
            assert (hit.id, hit.metadata) == ("3", {"kind": "animal"})
            assert [document.id for document in await loaded.adocuments()] == ["x", "y", "3"]


async def thousands_rank_alike_by_any_precision(embedder: Embedder) -> None:
    (vector,) = embedder.encode(["Hello world."])
    turns = np.arange(1, 6001, dtype=np.float32)[:, np.newaxis]
    others = np.cos(turns * np.arange(1, embedder.info.dim + 1, dtype=np.float32))
    vectors = normalize(vector + others * np.float32(0.002) * (1 + turns % 50))
    vectors[4000] = vectors[0]
    for precision in ("float32", "int8", "binary"):
        kind: Any = precision
        index = Index(embedder.fingerprint, dim=embedder.info.dim, precision=kind)
        index.add_vectors([f"text {i}" for i in range(6000)], vectors)
        hits = [(-hit.score, hit.position) for hit in index.search_vector(vectors[0], k=20)]
        assert hits == sorted(hits), (precision, hits)
        positions = [position for _, position in hits]
        assert (positions[0], hits[positions.index(4000)][0]) == (0, hits[0][0]), (precision, hits)
        assert precision == "binary" or positions[1] == 4000  # others may have the same signs


async def a_damaged_index_is_an_error(embedder: Embedder) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Index.build(["one", "two"], embedder).save(folder)
        index = Index.load(folder)
        (file,) = Path(folder).glob("documents-*.jsonl")  # noqa: ASYNC240 (two files of a test)
        file.write_bytes(file.read_bytes().replace(b"two", b"tow"))
        assert_raises(IntegrityError, file.name, lambda: index.search("two", embedder, k=1))
        file.unlink()
        assert_raises(IndexFormatError, file.name, lambda: index.search("one", embedder, k=1))


async def fingerprint_is_json(embedder: Embedder) -> None:
    fingerprint = embedder.fingerprint
    assert json.loads(json.dumps(fingerprint)) == fingerprint
    assert len(fingerprint["weights_sha256"]) == 64
