"""The pipeline natively, over real weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from conftest import finish
from fake_page import JsModel, fake_page
from synthetic import write_tiny
from twinvec import (
    DownloadError,
    Embedder,
    InferenceError,
    ParityError,
    SyncUnavailableError,
    cos_sim,
)
from twinvec.catalog.pins import DEFAULT, EMBEDDED
from twinvec.convert.folder import convert_folder
from twinvec.site.sample import SAMPLE_QUERY, SAMPLE_TEXTS


@pytest.fixture(scope="module")
def minilm() -> Iterator[Embedder]:
    opened = Embedder.from_pretrained(EMBEDDED.name)
    yield opened
    opened.close()


def test_published_similarities(minilm: Embedder) -> None:
    """What sentence-transformers' quickstart prints for its three sentences."""
    vectors = minilm.encode(
        ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    )
    scores = cos_sim(vectors, vectors)
    assert f"{scores[0, 1]:.4f} {scores[0, 2]:.4f} {scores[1, 2]:.4f}" == "0.6660 0.1046 0.1411"


def test_the_model_card_of_the_default_model() -> None:
    """What Xenova/bge-small-en-v1.5's card prints.

    The card does not say of which weights. Those of q8 and fp32 may be as far apart as cosine
    0.97 (measured on all-MiniLM-L6-v2), which is 0.0125 a component (root mean square over 384)
    and 0.018 on the score of two such vectors; the bounds are three times that.
    """
    try:
        bge = Embedder.from_pretrained(DEFAULT.name, local_files_only=True)
    except DownloadError:
        pytest.skip(f"the weights of {DEFAULT.name} are not cached here")
    hello, example = bge.encode(["Hello world.", "Example sentence."])
    assert_allclose(hello[:3], [-0.043148, -0.029489, 0.027080], atol=0.0375)
    assert_allclose(example[:3], [-0.036055, 0.016434, 0.008982], atol=0.0375)
    query = bge.encode([DEFAULT.query_prompt + SAMPLE_QUERY])
    scores = cos_sim(query, bge.encode(SAMPLE_TEXTS))[0]
    assert_allclose(scores, [0.390662, 0.799589, 0.691105], atol=0.054)
    assert np.argsort(-scores).tolist() == [1, 2, 0]
    bge.close()


def test_a_copy_of_the_folder_gives_the_same_vectors(minilm: Embedder) -> None:
    from twinvec.catalog.find import find_model

    folder, _ = find_model(EMBEDDED.name, dtype="fp32")
    local = Embedder.from_pretrained(folder)
    assert local.info.max_length == minilm.info.max_length
    assert local.info.pooling == minilm.info.pooling
    texts = ["Hello world.", "word " * 400]
    assert np.array_equal(local.encode(texts), minilm.encode(texts))
    local.close()


def test_a_closed_embedder_says_so(tmp_path: Path) -> None:
    made = convert_folder(write_tiny(tmp_path / "source"), tmp_path / "made")
    closed = Embedder.from_pretrained(made)
    closed.close()
    closed.close()
    with pytest.raises(InferenceError, match="was closed"):
        closed.encode(["a"])
    with pytest.raises(InferenceError, match="was closed"):
        finish(closed.aencode(["a"]))


def test_a_limit_is_a_whole_number_and_a_prompt_a_string(tmp_path: Path) -> None:
    made = convert_folder(write_tiny(tmp_path / "source"), tmp_path / "made")
    wrong: Any
    for wrong in ({"max_length": 10.5}, {"truncate_dim": "8"}):
        with pytest.raises(TypeError, match=r"(max_length|truncate_dim) must be a whole number"):
            Embedder.from_pretrained(made, **wrong)
    wrong = None
    embedder = Embedder.from_pretrained(made)
    with pytest.raises(TypeError, match="prompt must be a str, not NoneType"):
        embedder.encode(["a"], prompt=wrong)
    embedder.close()


def test_parity_is_checked_without_the_limits_of_the_embedder(tmp_path: Path) -> None:
    folder = convert_folder(write_tiny(tmp_path / "source"), tmp_path / "tiny")
    embedder = Embedder.from_pretrained(folder, max_length=1, truncate_dim=8)
    deviation = embedder.check_parity()
    assert deviation is not None
    assert deviation <= 1e-6
    assert finish(embedder.acheck_parity()) == deviation
    references = embedder.info.references["fp32"]
    references["vectors"][1][3] += 1e-3  # of the second text
    assert embedder.check_parity(count=1) is not None
    with pytest.raises(ParityError):
        embedder.check_parity()
    with pytest.raises(ParityError):
        finish(embedder.acheck_parity())
    embedder.info.references.clear()
    assert embedder.check_parity() is None
    assert finish(embedder.acheck_parity()) is None
    embedder.close()


def test_in_the_browser_the_page_checks_unless_python_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = convert_folder(write_tiny(tmp_path / "source"), tmp_path / "tiny")
    monkeypatch.setattr("twinvec.embedder.IN_BROWSER", True)
    with fake_page(monkeypatch, JsModel(folder)):
        for self_check in (None, False):
            embedder = Embedder.from_pretrained("tiny", self_check=self_check)
        with pytest.raises(SyncUnavailableError, match="Python cannot wait here"):
            Embedder.from_pretrained("tiny", self_check=True)
        assert finish(embedder.acheck_parity()) is not None


def test_weights_that_compute_otherwise_are_approximate(minilm: Embedder) -> None:
    """The class goes by the name: fp32 weights stand in for a q8 file here."""
    named_q8 = Embedder(minilm.info, minilm.pipeline.core, minilm.pipeline.session, dtype="q8")
    assert named_q8.parity == "approximate"
