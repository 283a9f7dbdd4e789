"""From encodings to runs of the ONNX session.

One text is one run, with no padding. Padding is the largest cost of a batch of mixed lengths
(measured: 48 mixed texts in one padded batch take over five times as long as one by one), and a
vector that never shares a run does not depend on its neighbours. Texts of equal length could share
a run without padding: in WebAssembly that saves 5 % at 12 tokens and nothing from 24 on; natively,
where a short run mostly waits for the weights to come from memory, half the time at 12 tokens, and
a tenth from 24 on. Few texts of a corpus are that short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twinvec.encoding.tokenizer import Encoding
    from twinvec.runtime.base import Feeds

__all__ = ["feeds"]


def feeds(encoding: Encoding, input_names: Iterable[str]) -> Feeds:
    """Shape one encoding as the model's inputs, int64 [1, tokens] each."""
    inputs = {
        "input_ids": encoding.input_ids,
        "attention_mask": np.ones_like(encoding.input_ids),
        "token_type_ids": encoding.token_type_ids,
    }
    return {name: inputs[name][np.newaxis] for name in input_names}
