"""Random strings: the same ids from each kind of tokenizer, and a smallest string if not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from synthetic import TINY, bert_weights, write_tiny
from texts import prose
from twinvec.certify.fuzz import TokenFuzz
from twinvec.certify.page import write_page
from twinvec.certify.texts import Sample
from twinvec.convert.folder import convert_folder
from twinvec.site.build import build_site

pytestmark = pytest.mark.browser

STRINGS = 5000
VOCABULARY = 400


def unigram() -> Tokenizer:
    """A tokenizer as XLM-R's: NFKC, Metaspace, Unigram with bytes for unknown characters."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(" {2,}", " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=VOCABULARY, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>"
    )
    tokenizer.train_from_iterator(prose(200, longest=60), trainer)
    return tokenizer


def bpe() -> Tokenizer:
    """A tokenizer as RoBERTa's: BPE over bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>", "</s>", "<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(prose(200, longest=60), trainer)
    return tokenizer


def tokenizer_site(folder: Path, tokenizer: Tokenizer) -> Path:
    """Build a site of a tiny model with a tokenizer."""
    source = write_tiny(folder / "source")
    config: dict[str, Any] = {**TINY, "vocab_size": VOCABULARY}
    save_file(bert_weights(config, 0.3), source / "model.safetensors")
    (source / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (source / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    model = convert_folder(source, folder / "model", ["fp32"])
    build_site(folder / "site", model)[0].close()
    return folder / "site"


@pytest.fixture(scope="session", params=[unigram, bpe], ids=["unigram", "bpe"])
def site_and_page(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    make: Callable[[], Tokenizer] = request.param
    folder = tmp_path_factory.mktemp(make.__name__)
    site = tokenizer_site(folder, make())
    write_page(site, folder / "page", Sample(["a"], ["a"]))
    return site, folder / "page"


def test_ids_of_random_strings_are_the_same(
    engine_name: str, site_and_page: tuple[Path, Path]
) -> None:
    site, page = site_and_page
    lines: list[str] = []
    outcome = TokenFuzz(site, STRINGS).run(engine_name, page, lines.append)
    assert outcome["failures"] == []
    assert outcome["strings"] == STRINGS
    assert "the same token ids" in lines[0]


def test_a_difference_is_a_smallest_string(engine_name: str, tmp_path: Path) -> None:
    """The browser's tokenizer does not lower-case, CPython's does."""
    lower = unigram()
    site = tokenizer_site(tmp_path / "lower", lower)
    fuzz = TokenFuzz(site, 500)
    lower.normalizer = normalizers.NFKC()
    fuzz.site = tokenizer_site(tmp_path / "other", lower)
    write_page(fuzz.site, tmp_path / "page", Sample(["a"], ["a"]))
    (failure,) = fuzz.run(engine_name, tmp_path / "page")["failures"]
    words = failure.split()
    assert int(words[0]) > 1
    assert failure.count("U+") <= 2  # at most a character and the space before it
    assert " instead of [" in failure
