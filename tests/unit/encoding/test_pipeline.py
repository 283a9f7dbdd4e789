from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from conftest import finish
from twinvec import InferenceError, ModelError, TruncationWarning
from twinvec.encoding.pipeline import Pipeline
from twinvec.runtime.base import Feeds, Outputs

TEXTS = ["a bb ccc", "dddd"]


class Words:
    """A tokenizer core whose ids are the lengths of a text's words."""

    post_processor = None

    def encode(self, text: str) -> NDArray[np.int64]:
        return np.array([len(word) for word in text.split()], np.int64)


class Doubling:
    """A session whose hidden state of a token is [id, 2 * id, mask, type id]."""

    input_names = ("attention_mask", "input_ids", "token_type_ids")
    hidden_size: int | None = None

    def __init__(self) -> None:
        self.feeds: list[Feeds] = []
        self.closed = False
        self.factors: list[float] = []
        """Factor of each output, 1 after the last."""

    def run(self, feeds: Iterable[Feeds]) -> Generator[Outputs]:
        for run in feeds:
            self.feeds.append(run)
            ids = run["input_ids"]
            columns = [ids, 2 * ids, run["attention_mask"], run["token_type_ids"]]
            factor = self.factors.pop(0) if self.factors else 1
            with np.errstate(invalid="ignore"):
                yield np.stack(columns, axis=-1).astype(np.float32) * np.float32(factor)

    async def arun(self, feeds: Iterable[Feeds]) -> AsyncGenerator[Outputs]:
        for output in self.run(feeds):
            yield output

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def session() -> Doubling:
    return Doubling()


@pytest.fixture
def pipeline(session: Doubling) -> Pipeline:
    return Pipeline(Words(), session, max_length=4, hidden_size=4, model="doubling")


def test_a_text_is_one_run_of_the_inputs_the_model_asks_for(
    pipeline: Pipeline, session: Doubling
) -> None:
    session.input_names = ("attention_mask", "input_ids")  # type: ignore[assignment]
    first, _ = pipeline.runs(TEXTS)
    assert list(first) == ["attention_mask", "input_ids"]
    assert first["input_ids"].tolist() == [[1, 2, 3]]
    assert first["attention_mask"].tolist() == [[1, 1, 1]]
    assert all(array.dtype == np.int64 for array in first.values())


def test_vectors_are_pooled_cut_and_normalized(pipeline: Pipeline) -> None:
    plain = pipeline.encode(TEXTS, pooling="mean", normalize=False)
    assert plain.dtype == np.float32
    assert plain.tolist() == [[2, 4, 1, 0], [4, 8, 1, 0]]
    unit = pipeline.encode(TEXTS, pooling="mean", dim=2)
    assert_allclose(unit, [[1 / 5**0.5, 2 / 5**0.5]] * 2, rtol=1e-6)


def test_token_vectors_keep_their_tokens(pipeline: Pipeline) -> None:
    first, second = pipeline.encode_tokens(TEXTS, dim=2, normalize=False)
    assert first.tolist() == [[1, 2], [2, 4], [3, 6]]
    assert second.tolist() == [[4, 8]]
    norms = [np.linalg.norm(vectors, axis=1) for vectors in pipeline.encode_tokens(TEXTS)]
    assert_allclose(np.concatenate(norms), 1, rtol=1e-6)


def test_async_gives_the_same(pipeline: Pipeline) -> None:
    expected = pipeline.encode(TEXTS, pooling="cls", prompt="x ")
    found = finish(pipeline.aencode(TEXTS, pooling="cls", prompt="x "))
    assert np.array_equal(found, expected)
    tokens = finish(pipeline.aencode_tokens(TEXTS))
    for found, expected in zip(tokens, pipeline.encode_tokens(TEXTS), strict=True):
        assert np.array_equal(found, expected)


def test_no_texts_are_an_empty_array(pipeline: Pipeline) -> None:
    assert pipeline.encode([], pooling="mean", dim=4).shape == (0, 4)
    assert pipeline.encode_tokens([]) == []


def test_tokens_are_counted_and_long_texts_truncated(pipeline: Pipeline, session: Doubling) -> None:
    long = "a " * 9
    assert pipeline.count_tokens(["", *TEXTS, long]) == [0, 3, 1, 9]
    ids = pipeline.token_ids(["", *TEXTS, long])
    assert [len(text_ids) for text_ids in ids] == [0, 3, 1, pipeline.tokenizer.max_length]
    with pytest.warns(TruncationWarning, match="longer than 4 tokens") as warned:
        pipeline.encode([*TEXTS, long, long], pooling="mean")
    assert (pipeline.truncated, len(warned)) == (2, 1)
    assert session.feeds[-1]["input_ids"].shape == (1, 4)


def test_progress_follows_each_text(pipeline: Pipeline) -> None:
    counts: list[tuple[int, int]] = []
    pipeline.encode(TEXTS, pooling="mean", progress=lambda *pair: counts.append(pair))
    assert counts == [(1, 2), (2, 2)]


@pytest.mark.parametrize("pooling", ["mean", "cls", "last_token", None])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused_by_the_model_and_position(
    pipeline: Pipeline, session: Doubling, pooling: Any, number: float
) -> None:
    session.factors = [1, number]
    encode = (
        pipeline.encode_tokens if pooling is None else partial(pipeline.encode, pooling=pooling)
    )
    aencode = (
        pipeline.aencode_tokens if pooling is None else partial(pipeline.aencode, pooling=pooling)
    )
    with pytest.raises(InferenceError, match=r"texts\[1\]: doubling computed a vector with NaN"):
        encode(TEXTS)
    session.factors = [number]
    with pytest.raises(InferenceError, match=r"texts\[0\]: doubling"):
        finish(aencode(TEXTS))


def test_vectors_of_another_length_than_the_models(session: Doubling) -> None:
    pipeline = Pipeline(Words(), session, max_length=4, hidden_size=3, model="doubling")
    with pytest.raises(ModelError, match=r"shape \(1, 3, 4\), but the hidden_size .* is 3"):
        pipeline.encode(TEXTS, pooling="mean")
    session.hidden_size = 4
    with pytest.raises(ModelError, match=r"vectors of length 4, but the hidden_size .* is 3"):
        pipeline.with_max_length(2)


def test_wrong_arguments_and_closing(pipeline: Pipeline, session: Doubling) -> None:
    wrong: Any = None
    with pytest.raises(TypeError, match="texts must be a list of strings"):
        pipeline.encode(wrong, pooling="mean")
    with pytest.raises(TypeError, match="prompt must be a str, not NoneType"):
        pipeline.encode_tokens(TEXTS, prompt=wrong)
    with pytest.raises(ValueError, match="leaves no room"):
        pipeline.with_max_length(0)
    pipeline.close()
    assert session.closed
