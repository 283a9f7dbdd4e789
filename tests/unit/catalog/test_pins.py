"""Pins are complete, and written as the code compares them."""

from __future__ import annotations

import re

import pytest

from twinvec.catalog.pins import DEFAULT, EMBEDDED, PINS, Pin
from twinvec.encoding.pooling import pooling_mode
from twinvec.model.dtypes import DTYPES, onnx_path
from twinvec.model.info import CONFIG_FILES


@pytest.mark.parametrize("pin", [DEFAULT, EMBEDDED], ids=lambda pin: pin.name)
def test_a_pin_is_whole(pin: Pin) -> None:
    assert PINS[pin.name] is pin
    assert re.fullmatch("[0-9a-f]{40}", pin.revision)
    hashes = [*pin.sha256.values(), *([pin.wheel.sha256] if pin.wheel else [])]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in hashes)
    assert set(CONFIG_FILES) <= pin.sha256.keys()
    assert {"onnx/model.onnx", "model.safetensors"} & pin.sha256.keys()
    assert pooling_mode(pin.pooling) == pin.pooling


def test_sizes_are_those_of_pinned_weights() -> None:
    paths = {onnx_path(dtype) for dtype in DTYPES}
    for pin in PINS.values():
        assert pin.sizes.keys() == pin.sha256.keys() & paths
