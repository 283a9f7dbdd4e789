from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinvec.cli.weights_table import quality_vectors, show_rows, weights_row
from twinvec.convert.quality import QUALITY_TEXTS

ROWS: list[dict[str, Any]] = [
    {"dtype": "fp32", "bytes": 90_300_000, "parity": "exact", "cosine": 1.0, "deviation": 2e-9},
    {"dtype": "q8", "bytes": 23_400_000, "parity": "approximate", "failure": "bad"},
]


def test_a_row_describes_the_weights(tiny: str) -> None:
    size = (Path(tiny) / "onnx" / "model_w8a8.onnx").stat().st_size
    assert weights_row(Path(tiny), "w8a8") == {"dtype": "w8a8", "bytes": size, "parity": "exact"}


def test_the_quality_set_is_embedded_without_warnings(tiny: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = quality_vectors(Path(tiny), "fp32")
    assert vectors.dtype == np.float32
    assert len(vectors) == len(QUALITY_TEXTS)


def test_rows_are_lines_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(ROWS, as_json=False)
    assert capsys.readouterr().out == (
        "fp32       90.3 MB  exact        lowest cosine to fp32 1.0000000"
        "  2.0e-09 from its reference: fine\n"
        "q8         23.4 MB  approximate  bad\n"
    )
    show_rows(ROWS, as_json=True)
    assert json.loads(capsys.readouterr().out) == ROWS
