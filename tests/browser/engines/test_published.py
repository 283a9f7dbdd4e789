"""The figures that sentence-transformers publishes, in every engine."""

from __future__ import annotations

from typing import Any

import pytest

from twinvec.certify.engines import Engine

pytestmark = pytest.mark.browser

# https://sbert.net/docs/quickstart.html
SENTENCES = [
    "The weather is lovely today.",
    "It's so sunny outside!",
    "He drove to the stadium.",
]
PUBLISHED = ["0.6660", "0.1046", "0.1411"]
"""Similarities of the first and second sentence, the first and third, the second and third."""

SIMILARITIES = """async (sentences) => {
  const { cos_sim, pipeline } = await import("./twinvec.js");
  const extractor = await pipeline("feature-extraction", null, { dtype: "fp32" });
  const rows = (await extractor(sentences, { pooling: "mean", normalize: true })).tolist();
  await extractor.dispose();
  return [[0, 1], [0, 2], [1, 2]].map(([i, j]) => cos_sim(rows[i], rows[j]).toFixed(4));
}"""


def test_similarities_are_those_published(
    engine: Engine, test_site: str, manifest: dict[str, Any]
) -> None:
    if not manifest["name"].endswith("all-MiniLM-L6-v2"):
        pytest.skip(f"published for all-MiniLM-L6-v2; dist/ holds {manifest['name']}")
    engine.open(f"{test_site}test.html?load=false")
    assert engine.evaluate(SIMILARITIES, SENTENCES) == PUBLISHED
