"""What is embedded."""

from __future__ import annotations

import hashlib
import json
import random
import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from twinvec import Embedder
from twinvec.download import cache_root

WORDS = " ".join(topics[name] for name in sorted(topics)).split()


@dataclass(frozen=True)
class Workload:
    """Texts under a name."""

    name: str
    texts: list[str]


def passages(lengths: list[int], seed: int) -> list[str]:
    """Cut passages of given lengths, in words, from Python's documentation."""
    draw = random.Random(seed)
    starts = [draw.randrange(len(WORDS) - length) for length in lengths]
    return [
        " ".join(WORDS[start : start + length])
        for start, length in zip(starts, lengths, strict=True)
    ]


def mixed(count: int, seed: int = 0) -> list[str]:
    """Make texts of log-normally distributed lengths, 4 to 200 words, half of them below 28."""
    draw = random.Random(seed)
    lengths = [min(200, max(4, round(draw.lognormvariate(3.33, 0.9)))) for _ in range(count)]
    return passages(lengths, seed)


def workloads(*, quick: bool) -> list[Workload]:
    """Give a query, a corpus and long texts.

    And a corpus that Transformers.js embeds in one call: with 256 texts that ends in
    `std::bad_alloc`.
    """
    return [
        Workload("one query", ["What is the difference between a list and a tuple?"]),
        Workload("mixed corpus", mixed(32 if quick else 256)),
        Workload("one list", mixed(16 if quick else 64)),
        Workload("long texts", passages([400] * (8 if quick else 64), seed=2)),
    ]


def paragraphs(count: int) -> list[str]:
    """Take distinct paragraphs of the standard library's sources, the same ones every time.

    Documentation, comments and code, 60 to 2,000 characters each, shuffled.
    """
    folder = Path(sysconfig.get_path("stdlib"))
    found: dict[str, None] = {}
    for file in sorted(folder.rglob("*.py")):
        if not {"site-packages", "dist-packages"} & set(file.parts):
            parts = re.split(r"\n\s*\n", file.read_text("utf-8", "replace"))
            plain = (" ".join(part.split()) for part in parts)
            found |= {text: None for text in plain if 60 <= len(text) <= 2000}
    texts = list(found)
    random.Random(0).shuffle(texts)
    if len(texts) < count:
        raise ValueError(f"{folder} has {len(texts):,} paragraphs only")
    return texts[:count]


def embedded(texts: list[str], embedder: Embedder, name: str) -> NDArray[np.float32]:
    """Embed texts once, and keep the vectors in twinvec's cache folder; float32 [n, dim]."""
    key = hashlib.sha256(json.dumps([texts, embedder.fingerprint]).encode()).hexdigest()
    folder = cache_root() / "bench" / f"{name}-{key[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for start in tqdm(range(0, len(texts), 2048), f"Embedding {name}", unit=" parts"):
        file = folder / f"{start}.npy"
        if not file.is_file():
            np.save(folder / "part.npy", embedder.encode(texts[start : start + 2048]))
            (folder / "part.npy").replace(file)
        made.append(np.load(file))
    return np.concatenate(made)
