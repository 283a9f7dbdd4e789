"""Runs start a few ahead, in order, and end with their iterator; graphs are checked by name."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from twinvec import UnsupportedModelError
from twinvec.runtime.base import check_graph, running

FEEDS = [{"input_ids": np.array([[number]])} for number in range(9)]


def test_runs_start_in_order_and_only_a_few_ahead() -> None:
    started: list[int] = []

    def start(feeds: Any) -> Future[None]:
        started.append(feeds["input_ids"].item())
        return Future()

    runs = running(iter(FEEDS), start, ahead=2)
    next(runs)
    assert started == [0, 1, 2]
    next(runs)
    assert started == [0, 1, 2, 3]
    assert len(list(runs)) == 7
    assert started == list(range(9))


def test_closing_cancels_the_runs_that_were_not_yielded() -> None:
    futures: list[Future[None]] = []

    def start(_feeds: Any) -> Future[None]:
        futures.append(Future())
        return futures[-1]

    runs = running(iter(FEEDS), start, ahead=3)
    next(runs)
    runs.close()
    assert [future.cancelled() for future in futures] == [False, True, True, True]


@pytest.mark.parametrize("output", ["last_hidden_state", "token_embeddings"])
def test_the_output_with_the_hidden_states_is_found(output: str) -> None:
    assert check_graph(["input_ids", "attention_mask"], ["pooler_output", output]) == output


def test_other_graphs_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedModelError, match="needs an input 'pixel_values'"):
        check_graph(["input_ids", "pixel_values"], ["last_hidden_state"])
    with pytest.raises(UnsupportedModelError, match="has the outputs logits; twinvec needs last_"):
        check_graph(["input_ids"], ["logits"])
