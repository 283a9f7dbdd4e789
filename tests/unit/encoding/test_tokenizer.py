from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from twinvec import ModelError, UnsupportedModelError
from twinvec.encoding.tokenizer import Template, Tokenizer, well_formed

BERT: dict[str, Any] = {
    "type": "TemplateProcessing",
    "single": [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    ],
    "special_tokens": {"[CLS]": {"ids": [101]}, "[SEP]": {"ids": [102]}},
}


class Words:
    """A core whose ids are the lengths of a text's words."""

    def __init__(self, post_processor: Mapping[str, Any] | None) -> None:
        self.post_processor = post_processor
        self.texts: list[str] = []

    def encode(self, text: str) -> NDArray[np.int64]:
        self.texts.append(text)
        return np.array([len(word) for word in text.split()], dtype=np.int64)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (None, Template()),
        (BERT, Template(((101, 0),), ((102, 0),))),
        (
            {"type": "BertProcessing", "sep": ["[SEP]", 7], "cls": ["[CLS]", 6]},
            Template(((6, 0),), ((7, 0),)),
        ),
        (
            {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]},
            Template(((0, 0),), ((2, 0),)),
        ),
        ({"type": "ByteLevel"}, Template()),
        (
            {"type": "Sequence", "processors": [{"type": "ByteLevel"}, BERT]},
            Template(((101, 0),), ((102, 0),)),
        ),
    ],
)
def test_post_processors(block: Mapping[str, Any] | None, expected: Template) -> None:
    assert Template.from_post_processor(block) == expected


@pytest.mark.parametrize(
    ("block", "name"),
    [
        ({"type": "Whatever"}, "'Whatever'"),
        ({"type": "Sequence", "processors": [BERT, BERT]}, "'Sequence'"),
        ({**BERT, "single": BERT["single"][:1]}, "contains it 0 times"),
    ],
)
def test_others_are_refused_by_name(block: Mapping[str, Any], name: str) -> None:
    with pytest.raises(UnsupportedModelError, match=name):
        Template.from_post_processor(block)


def test_special_tokens_and_type_ids() -> None:
    single = [
        {"SpecialToken": {"id": "[CLS]", "type_id": 2}},
        {"Sequence": {"id": "A", "type_id": 1}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 3}},
    ]
    encoding = Tokenizer(Words({**BERT, "single": single}), 512).encode("one three")
    assert encoding.input_ids.tolist() == [101, 3, 5, 102]
    assert encoding.token_type_ids.tolist() == [2, 1, 1, 3]
    assert encoding.input_ids.dtype == encoding.token_type_ids.dtype == np.int64
    assert not encoding.truncated


def test_truncation_keeps_the_final_special_token() -> None:
    tokenizer = Tokenizer(Words(BERT), 4)
    assert not tokenizer.encode("a bb").truncated
    encoding = tokenizer.encode("a bb ccc dddd")
    assert encoding.input_ids.tolist() == [101, 1, 2, 102]
    assert encoding.truncated
    assert len(encoding) == 4


def test_of_a_very_long_text_only_the_beginning_is_tokenized() -> None:
    core = Words(BERT)
    tokenizer = Tokenizer(core, 4, whole_characters=400)
    long = "a bb ccc " * 10_000
    encoding = tokenizer.encode(long)
    assert encoding.input_ids.tolist() == [101, 1, 2, 102]
    assert encoding.truncated
    assert sum(map(len, core.texts)) < 3000
    assert not {text[-1:] for text in core.texts} & {" ", ""}
    assert tokenizer.count(long) == 30_002
    few = "x" * 5000  # one word: no beginning decides its tokens
    assert tokenizer.encode(few).input_ids.tolist() == [101, 5000, 102]


def test_an_empty_text_has_its_special_tokens() -> None:
    assert Tokenizer(Words(BERT), 4).encode("").input_ids.tolist() == [101, 102]


def test_max_length_must_leave_room() -> None:
    with pytest.raises(ValueError, match="max_length 2 leaves no room"):
        Tokenizer(Words(BERT), 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("é 👍", "é 👍"),
        ("a\ud800b", "a\ufffdb"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("\ud83d\udc4d", "👍"),
        ("\ud800\ud83d\udc4d\udfff", "\ufffd👍\ufffd"),
    ],
)
def test_well_formed(text: str, expected: str) -> None:
    assert well_formed(text) == expected


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        [],
        {"type": "TemplateProcessing"},
        {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "a"}}]},
        {"type": "BertProcessing", "cls": ["a", "1"], "sep": ["b", 2]},
        {"type": "BertProcessing", "cls": ["a", 2**40], "sep": ["b", 2]},
        {"type": "RobertaProcessing", "cls": ["a", -1], "sep": ["b", 2]},
        {"type": "Sequence", "processors": 3},
    ],
)
def test_a_post_processor_that_is_damaged(damaged: Any) -> None:
    with pytest.raises(ModelError, match="post_processor"):
        Template.from_post_processor(damaged)
