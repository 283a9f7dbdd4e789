from __future__ import annotations

import onnx
import pytest

from twinvec import Embedder, Index, ParityWarning
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import EMBEDDED
from twinvec.convert.q8 import make_q8
from twinvec.convert.quality import QUALITY_TEXTS, lowest_cosine


def test_it_is_deterministic_and_leaves_its_input() -> None:
    folder, info = find_model(EMBEDDED.name, dtype="fp32")
    model = onnx.load(folder / info.weights["fp32"])
    before = model.SerializeToString(deterministic=True)
    quantized = make_q8(model).SerializeToString(deterministic=True)
    assert make_q8(model).SerializeToString(deterministic=True) == quantized
    assert model.SerializeToString(deterministic=True) == before


def test_it_is_approximate_and_says_so_where_it_is_kept(tmp_path: pytest.TempPathFactory) -> None:
    full, small = (Embedder.from_pretrained(EMBEDDED.name, dtype=dtype) for dtype in ("fp32", "q8"))
    assert small.parity == "approximate"
    # Measured 0.981; Transformers.js's other settings came to 0.90 to 0.97.
    assert lowest_cosine(small.encode(QUALITY_TEXTS), full.encode(QUALITY_TEXTS)) > 0.975
    with pytest.warns(ParityWarning, match="w16 and w8a8 are exact"):
        Index.build(["Hello world."], small).save(str(tmp_path))
    Index.build(["Hello world."], full).save(str(tmp_path))  # no warning, which would be an error
