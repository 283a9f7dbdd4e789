"""A text of any length has the first ids of the whole, in bounded memory."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer as RustTokenizer  # noqa: TID251 (trains tokenizers)
from tokenizers import models, normalizers, pre_tokenizers, trainers  # noqa: TID251

from conftest import ROOT
from twinvec import Embedder, TruncationWarning
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import EMBEDDED
from twinvec.encoding.tokenizer import Tokenizer, well_formed
from twinvec.runtime.native import NativeTokenizer

SEED = 7
TEXTS = 60
WHOLE_CHARACTERS = 512
CORPUS = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "docs").glob("*.md"))]
WORDS = " ".join(CORPUS).split(" ")
PIECES = ["ab", "[SEP]", "<unk>", "a\u0301", " ", "\n\n", "tion", "ing", "1234", "\u200d"]
PIECES += ["👩‍👩‍👧", "漢", "한"]


def byte_level_bpe() -> RustTokenizer:
    tokenizer = RustTokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=2000, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def unigram(*, split: bool) -> RustTokenizer:
    tokenizer = RustTokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=split)
    trainer = trainers.UnigramTrainer(
        vocab_size=1000,
        unk_token="<unk>",  # noqa: S106 (a word of the vocabulary)
        special_tokens=["<unk>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


@pytest.fixture(scope="module", params=["wordpiece", "bpe", "unigram", "unigram of sentences"])
def core(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> NativeTokenizer:
    if request.param == "wordpiece":
        return NativeTokenizer(find_model(EMBEDDED.name, dtype="fp32")[0] / "tokenizer.json")
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made: dict[str, Callable[[], RustTokenizer]] = {
        "bpe": byte_level_bpe,
        "unigram": lambda: unigram(split=True),
        "unigram of sentences": lambda: unigram(split=False),
    }
    made[request.param]().save(str(file))
    return NativeTokenizer(file)


def draw_text(draw: random.Random, length: int) -> str:
    kind = draw.randrange(5)
    if kind == 0:
        return " ".join(draw.choice(WORDS) for _ in range(length // 6))
    if kind == 1:
        return "".join(draw.choice(PIECES) for _ in range(length // 3))
    if kind == 2:
        return "x" * length
    if kind == 3:
        planes = [(32, 0x3000), (0x4E00, 0x9FFF), (0xD800, 0xDFFF), (0x1F300, 0x1F700)]
        return "".join(chr(draw.randrange(*draw.choice(planes))) for _ in range(length))
    space = draw.choice(" \n\t") * draw.randrange(1, 50)
    return space.join(draw.choice(WORDS) for _ in range(length // 30))


def test_the_ids_of_a_cut_text_are_those_of_the_whole(core: NativeTokenizer) -> None:
    draw = random.Random(SEED)
    for number in range(TEXTS):
        text = draw_text(draw, WHOLE_CHARACTERS * draw.randrange(2, 9) + draw.randrange(100))
        whole = core.encode(well_formed(text))
        for max_length in (16, 130, 512):
            tokenizer = Tokenizer(core, max_length, whole_characters=WHOLE_CHARACTERS)
            encoding = tokenizer.encode(text)
            room = max_length - len(tokenizer.encode("").input_ids)
            expected = Tokenizer(core, max_length, whole_characters=len(text)).encode(text)
            assert np.array_equal(encoding.input_ids, expected.input_ids), number
            assert encoding.truncated == expected.truncated == (len(whole) > room), number


class Counting:
    """A tokenizer core that counts the characters that it is given."""

    def __init__(self, core: NativeTokenizer) -> None:
        self.post_processor = core.post_processor
        self._encode = core.encode
        self.characters = 0

    def encode(self, text: str) -> NDArray[np.int64]:
        self.characters += len(text)
        return self._encode(text)


def test_a_text_of_50_mb(core: NativeTokenizer) -> None:
    counting = Counting(core)
    text = "The quick brown fox jumps over the lazy dog. " * (50_000_000 // 45)
    encoding = Tokenizer(counting, 512).encode(text)
    assert encoding.truncated
    assert len(encoding) == 512
    assert counting.characters < 200_000


def test_a_text_of_50_mb_has_a_vector() -> None:
    embedder = Embedder.from_pretrained(EMBEDDED.name)
    start = time.monotonic()
    with pytest.warns(TruncationWarning):
        vectors = embedder.encode(["word " * 10_000_000, "word " * 1000])
    assert time.monotonic() - start < 20
    assert np.array_equal(*vectors)
    embedder.close()
