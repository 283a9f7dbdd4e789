"""The browser's ids and vectors against the native ones, on the same weights."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

from conftest import Tab, open_tab, serving_tests
from synthetic import write_bge_small
from texts import ODD, parity_texts, prose
from twinvec import Embedder, cos_sim, semantic_search
from twinvec.catalog.pins import DEFAULT, EMBEDDED
from twinvec.convert.folder import convert_folder
from twinvec.model.reference import BOUNDS
from twinvec.site.build import build_site

pytestmark = pytest.mark.browser

# One of random weights has the architecture of bge-small, for where that cannot be had.
DTYPES = {
    "MiniLM": ("w8a8",),  # the others: tests/browser/engines
    "bge-shaped": ("fp32", "w8", "w8a8"),
    "bge-small": ("fp32", "w8"),
}

# On unit vectors; on several hundred texts weights that compute in float32 (w8 does) differed by
# about 2e-7. States that are equal to the last bit (w8a8's) still are pooled in NumPy.
BOUND = 5e-7

ENCODE_IDS = """
from twinvec import Embedder
async def body():
    encode = Embedder.from_pretrained().pipeline.tokenizer.encode
    return [encode(text).input_ids.tolist() for text in texts]
"""


def browser_vectors(tab: Tab, texts: list[str], pooling: str = "mean") -> NDArray[np.float32]:
    dims, data = tab.encode(texts, pooling)
    return np.frombuffer(base64.b64decode(data), np.float32).reshape(dims)


def native_ids(embedder: Embedder, texts: list[str]) -> list[list[int]]:
    return [embedder.pipeline.tokenizer.encode(text).input_ids.tolist() for text in texts]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    texts = parity_texts()
    assert len(texts) >= 300
    return texts


@dataclass
class Pair:
    """The same model in the same dtype on both sides, and the vectors of the same texts."""

    embedder: Embedder
    tab: Tab
    native: NDArray[np.float32]
    browser: NDArray[np.float32]


Sites = Callable[[str], tuple[str, str | Path]]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, manifest: dict[str, Any]) -> Iterator[Sites]:
    """Give the address of a model's site, built when first asked for, and the model."""
    with ExitStack() as stack:

        @cache
        def site(model: str) -> tuple[str, str | Path]:
            folder = tmp_path_factory.mktemp(model)
            source: str | Path = {"MiniLM": EMBEDDED.name}.get(model, DEFAULT.name)
            if model == "bge-small" and manifest["name"] != DEFAULT.name:
                pytest.skip(f"{DEFAULT.name} is not cached here")
            if model == "bge-shaped":
                made = write_bge_small(folder / "source")
                source = convert_folder(made, folder / model, DTYPES[model])
            embedder, _ = build_site(folder / "dist", source, dtypes=DTYPES[model])
            embedder.close()
            return stack.enter_context(serving_tests(folder / "site", folder / "dist")), source

        yield site


@pytest.fixture(
    scope="module",
    params=[(model, dtype) for model in DTYPES for dtype in DTYPES[model]],
    ids="-".join,
)
def pair(
    request: pytest.FixtureRequest, browser: Browser, sites: Sites, texts: list[str]
) -> Iterator[Pair]:
    model, dtype = request.param
    address, source = sites(model)
    if model == "bge-shaped":  # each takes several times as long
        texts = texts[: len(ODD)] + texts[len(ODD) :: 3]
    embedder = Embedder.from_pretrained(source, dtype=dtype, local_files_only=True)
    tab = open_tab(browser, address, f"?dtype={dtype}")
    assert tab.page.evaluate("extractor.versions.dtype") == dtype
    native = embedder.encode(texts, pooling="mean")
    yield Pair(embedder, tab, native, browser_vectors(tab, texts))
    tab.page.context.close()
    embedder.close()


def test_ids_are_identical(tab: Tab, embedder: Embedder, texts: list[str]) -> None:
    expected = native_ids(embedder, texts)
    assert max(map(len, expected)) == embedder.info.max_length  # some texts are over-length
    assert tab.python(ENCODE_IDS, texts=texts) == expected


def exact(pair: Pair) -> bool:
    return pair.embedder.parity == "exact"


def difference(pair: Pair) -> float:
    return float(np.max(np.abs(pair.native - pair.browser)))


def same_rankings(pair: Pair) -> float:
    """The share of queries whose ten nearest texts come in the same order on both sides."""
    queries = prose(50, seed=7, shortest=3, longest=12)
    native = semantic_search(pair.embedder.encode(queries), pair.native, top_k=10)
    browser = semantic_search(browser_vectors(pair.tab, queries), pair.browser, top_k=10)
    same = [
        [match.position for match in left] == [match.position for match in right]
        for left, right in zip(native, browser, strict=True)
    ]
    return sum(same) / len(same)


def test_vectors_are_the_same(pair: Pair) -> None:
    assert pair.native.shape == pair.browser.shape
    assert pair.tab.page.evaluate("extractor.versions.parity") == pair.embedder.parity
    print(f"{pair.embedder.dtype}: {difference(pair):.3g} on {len(pair.native)} texts")
    assert difference(pair) <= (BOUND if exact(pair) else BOUNDS["approximate"])


@pytest.mark.parametrize(
    "pair", [("MiniLM", "w8a8"), ("bge-shaped", "w8a8")], indirect=True, ids="-".join
)
def test_states_are_the_same_to_the_last_bit(pair: Pair) -> None:
    texts = [*ODD[:15], *prose(15, seed=9)]
    native = pair.embedder.encode_tokens(texts, normalize=False)
    dims, data = pair.tab.encode(texts, "none", normalize=False)
    browser = np.frombuffer(base64.b64decode(data), np.float32).reshape(dims)
    for states, padded in zip(native, browser, strict=True):
        assert states.tobytes() == padded[: len(states)].tobytes()


def test_rankings_are_the_same(pair: Pair) -> None:
    share = same_rankings(pair)
    print(f"{pair.embedder.dtype}: {share:.0%} of the rankings are the same")
    if exact(pair):
        assert share == 1


def test_published_similarities_in_the_page(tab: Tab, manifest: dict[str, Any]) -> None:
    if not manifest["name"].endswith("all-MiniLM-L6-v2"):
        pytest.skip(f"published for all-MiniLM-L6-v2; dist/ holds {manifest['name']}")
    vectors = browser_vectors(
        tab, ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    )
    scores = cos_sim(vectors, vectors)
    assert f"{scores[0, 1]:.4f} {scores[0, 2]:.4f} {scores[1, 2]:.4f}" == "0.6660 0.1046 0.1411"


@pytest.mark.parametrize("pooling", ["cls", "last_token"])
def test_other_poolings_are_the_same(tab: Tab, embedder: Embedder, pooling: Any) -> None:
    native = embedder.encode(ODD, pooling=pooling)
    assert np.max(np.abs(native - browser_vectors(tab, ODD, pooling))) <= BOUND


def test_token_vectors_are_the_same_and_padded_with_zeros(tab: Tab, embedder: Embedder) -> None:
    texts = ["Hello world.", "a somewhat longer text than the first"]
    native = embedder.encode_tokens(texts)
    browser = browser_vectors(tab, texts, "none")
    assert browser.shape == (2, max(map(len, native)), embedder.info.dim)
    for states, padded in zip(native, browser, strict=True):
        assert np.max(np.abs(states - padded[: len(states)])) <= BOUND
        assert not padded[len(states) :].any()


def test_lone_surrogates_from_javascript(tab: Tab, embedder: Embedder) -> None:
    data = tab.page.evaluate(
        """async () => {
          const texts = ["a \\ud800 b", "\\ud83d\\udc4d"];
          return Array.from((await extractor(texts, { pooling: "mean", normalize: true })).data);
        }"""
    )
    expected = embedder.encode(["a \ufffd b", "\U0001f44d"])
    assert np.max(np.abs(np.reshape(data, (2, -1)) - expected)) <= BOUND


def test_fingerprints_are_the_same(pair: Pair) -> None:
    assert pair.tab.page.evaluate("extractor.versions.fingerprint") == pair.embedder.fingerprint
