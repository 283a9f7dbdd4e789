"""Chromium, Firefox and WebKit give CPython's vectors, and each other's bits."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from texts import ODD, prose
from twinvec import Embedder
from twinvec.certify.engines import Engine

BOUND = 5e-7
"""On unit vectors; about twice the largest difference that was measured."""

TEXTS = [*ODD, *prose(30, seed=4, longest=100)]

VECTORS = """async (texts, dtype) => {
  await load({ dtype });
  const result = await encode(texts, { pooling: "mean", normalize: true });
  await extractor.dispose();
  return result;
}"""

DIGESTS: dict[str, dict[str, str]] = {}


@cache
def native_vectors(model: str, dtype: str) -> NDArray[np.float32]:
    embedder = Embedder.from_pretrained(model, dtype=dtype)
    vectors = embedder.encode(TEXTS, pooling="mean")
    embedder.close()
    return vectors


@pytest.mark.parametrize("dtype", ["fp32", "w8"])
def test_vectors_are_the_same(
    engine: Engine, test_site: str, manifest: dict[str, Any], dtype: str
) -> None:
    engine.open(f"{test_site}test.html?load=false")
    dims, data = engine.evaluate(VECTORS, json.dumps(TEXTS), dtype)
    content = base64.b64decode(data)
    vectors = np.frombuffer(content, np.float32).reshape(dims)
    difference = np.max(np.abs(vectors - native_vectors(manifest["name"], dtype)))
    print(f"{engine.browser}, {dtype}: {difference:.3g} on {len(TEXTS)} texts")
    assert difference <= BOUND
    digests = DIGESTS.setdefault(dtype, {})
    digests[engine.name] = hashlib.sha256(content).hexdigest()
    assert len(set(digests.values())) == 1, digests
