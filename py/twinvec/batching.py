"""From encodings to runs of the ONNX session.

One text is one run, with no padding. Padding is the largest cost of a batch of mixed lengths
(measured: 48 mixed texts in one padded batch take over five times as long as one by one), and a
vector that never shares a run does not depend on its neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twinvec.runtime.base import Feeds
    from twinvec.tokenization import Encoding

__all__ = ["feeds", "waves"]

# Tokens handed to the session at once: enough runs to keep every core busy, while their hidden
# states stay below 25 MB at 384 dims.
WAVE_TOKENS = 16_384


def feeds(encoding: Encoding, input_names: Iterable[str]) -> Feeds:
    """Shape one encoding as the model's inputs, int64 [1, tokens] each."""
    inputs = {
        "input_ids": encoding.input_ids,
        "attention_mask": np.ones_like(encoding.input_ids),
        "token_type_ids": encoding.token_type_ids,
    }
    return {name: inputs[name][np.newaxis] for name in input_names}


def waves(encodings: Iterable[Encoding], max_tokens: int = WAVE_TOKENS) -> Iterator[list[Encoding]]:
    """Cut encodings, in order, into lists of at most `max_tokens` tokens, or of one text."""
    wave: list[Encoding] = []
    tokens = 0
    for encoding in encodings:
        if wave and tokens + len(encoding) > max_tokens:
            yield wave
            wave, tokens = [], 0
        wave.append(encoding)
        tokens += len(encoding)
    if wave:
        yield wave
