"""A page with as little memory as an iPhone gives: it opens, searches, and survives visits."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinvec.certify.engines import Engine, missing_part
from twinvec.errors import EngineError

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing_part("webkit")), reason=str(missing_part("webkit"))),
]

PAGE_MEGABYTES = 1000
TOO_FEW_MEGABYTES = 300
SECONDS_OF_A_VISIT = 6
"""Time in which a page that opened further sessions would be ended."""

VISIT = """async (seconds) => {
  const { sessions } = await opened;
  const index = await extractor.createIndex();
  await index.add(Array.from({ length: 10 }, (_, i) => `text number ${i}`));
  const hits = await index.search("number 7", { mode: "hybrid", k: 3 });
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  const { dims } = await extractor(Array(4).fill("word ".repeat(250)), { pooling: "mean" });
  return [sessions, hits.length, dims[0]];
}"""


def test_three_visits_with_1000_megabytes(test_site: str, tmp_path: Path) -> None:
    with Engine("webkit", profile=tmp_path, page_megabytes=PAGE_MEGABYTES) as engine:
        for _ in range(3):
            engine.open(f"{test_site}test.html?dtype=w8")
            assert engine.evaluate(VISIT, SECONDS_OF_A_VISIT) == [1, 3, 4]


def test_the_limit_is_real(test_site: str, tmp_path: Path) -> None:
    with Engine("webkit", profile=tmp_path, page_megabytes=TOO_FEW_MEGABYTES) as engine:
        engine.open(f"{test_site}test.html?dtype=w8")
        with pytest.raises(EngineError):
            engine.evaluate(VISIT, SECONDS_OF_A_VISIT, seconds=60)
