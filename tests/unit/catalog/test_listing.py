"""The listing shows known and cached weights, without a request."""

from __future__ import annotations

from pathlib import Path

from fake_hub import MODEL_FILES, NAME, OTHER, PINNED, REVISION, Hub
from twinvec.catalog.find import find_model
from twinvec.catalog.listing import Weights, list_weights
from twinvec.catalog.pins import DEFAULT, EMBEDDED, PINS


def test_an_empty_cache_lists_the_pinned_models(tmp_path: Path) -> None:
    listed = list_weights(tmp_path)
    assert [(weights.model, weights.dtype) for weights in listed] == [
        (pin.name, dtype)
        for pin in (DEFAULT, EMBEDDED)
        for dtype in ("fp32", "q8", "w8", "w16", "w8a8")
    ]
    assert not any(weights.file for weights in listed)
    sizes = {weights.dtype: weights.bytes for weights in listed if weights.model == DEFAULT.name}
    assert sizes == {"fp32": 133_093_490, "q8": 34_014_426, "w8": None, "w16": None, "w8a8": None}


def test_cached_weights_have_a_file_and_its_size(hub: Hub, tmp_path: Path) -> None:
    find_model(NAME, dtype="fp32", cache_dir=tmp_path)
    find_model(NAME, dtype="fp16", revision="main", cache_dir=tmp_path)
    hub.requests.clear()
    listed = [weights for weights in list_weights(tmp_path) if weights.model == NAME]
    assert hub.requests == []
    cached = {weights.dtype: weights for weights in listed if weights.file}
    assert cached.keys() == {"fp32", "fp16"}
    for dtype, weights in cached.items():
        assert weights.file
        content = MODEL_FILES[weights.file.relative_to(weights.file.parents[1]).as_posix()]
        assert (weights.revision, weights.bytes) == (REVISION, len(content)), dtype
    assert Weights(NAME, REVISION, "w8", None, None) in listed


def test_other_revisions_are_listed_after_the_pinned_models(hub: Hub, tmp_path: Path) -> None:
    find_model(NAME, dtype="fp32", cache_dir=tmp_path)
    PINS[NAME] = PINNED.__class__(NAME, OTHER, "cls", 6, PINNED.sha256)
    (*_, last) = list_weights(tmp_path)
    assert (last.model, last.revision, last.dtype) == (NAME, REVISION, "fp32")
    assert hub.requests
