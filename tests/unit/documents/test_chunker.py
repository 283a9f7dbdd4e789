from __future__ import annotations

import random
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from twinvec import Embedder
from twinvec.documents.chunker import Chunker
from twinvec.documents.section import Section

PROMPT = "passage: "
PIECES = [
    "panda", "A sentence ends here.", "Is it?", "naïve café", "日本語の文。",
    "".join(map(chr, range(0x4E00, 0x4E80))), "".join(map(chr, range(0x100, 0x180))),
    "".join(map(chr, range(0x1F400, 0x1F420))),
    "def f(x):\n    return x\n", "e.g. this", "\n", "(See “there”.) Then", "1.5, 2.5", "a\u2028b",
]  # fmt: skip


class ByCharacter:
    """A tokenizer unlike BERT's: every four characters are a token, wherever they stand."""

    info = SimpleNamespace(max_length=64, document_prompt=PROMPT, name="four")

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [2 + -(-len(text) // 4) for text in texts]


@pytest.fixture(params=["wordpiece", "characters"])
def model(request: pytest.FixtureRequest, embedder: Embedder) -> Embedder:
    return embedder if request.param == "wordpiece" else cast("Embedder", ByCharacter())


def paragraphs(seed: int) -> list[str]:
    """Draw paragraphs in which nothing is there twice."""
    drawn, numbers = random.Random(seed), count()
    return [
        " ".join(f"{drawn.choice(PIECES)} n{next(numbers)};" for _ in range(length))
        for length in drawn.choices([1, 3, 10, 60], k=seed % 7)
    ]


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_lost_or_moved_and_every_passage_fits(model: Embedder, seed: int) -> None:
    chunker = Chunker(model, 40, overlap=0)
    given = paragraphs(seed)
    texts = list(chunker.cut(Section(given, ("Guide", "Set-up"))))
    bodies = [text.removeprefix("Guide > Set-up\n") for text in texts]
    assert all(body != text for body, text in zip(bodies, texts, strict=True))
    assert squeezed("".join(bodies)) == squeezed("".join(given))
    prompt = model.info.document_prompt
    assert all(tokens <= 40 for tokens in model.count_tokens([prompt + text for text in texts]))
    assert all(body.strip() for body in bodies)


@pytest.mark.parametrize("seed", range(40))
def test_an_overlap_repeats_only_the_end_of_the_passage_before(model: Embedder, seed: int) -> None:
    given = paragraphs(seed)
    prompt = model.info.document_prompt
    before, rest = "", squeezed("".join(given))
    for text in Chunker(model, 60, overlap=12).cut(Section(given)):
        ends = (end for end in range(len(text), -1, -1) if before.endswith(text[:end].rstrip()))
        repeated = next(ends)
        empty, whole, again = model.count_tokens(
            [prompt, prompt + text, prompt + text[:repeated].rstrip()]
        )
        assert whole <= 60
        assert again - empty <= 12
        new = squeezed(text[repeated:])
        assert new
        assert rest.startswith(new)
        before, rest = text, rest.removeprefix(new)
    assert rest == ""


def test_paragraphs_stay_whole_where_they_can(embedder: Embedder) -> None:
    words = [f"{name} " * 9 + "end." for name in ("one", "two", "three", "four")]
    texts = list(Chunker(embedder, 30, overlap=0).cut(Section(words)))
    assert texts == [f"{words[0]}\n\n{words[1]}", f"{words[2]}\n\n{words[3]}"]


def test_the_last_sentence_is_repeated_where_it_fits(embedder: Embedder) -> None:
    first = "The first sentence is rather long and full of words. The second is short."
    second = "The third sentence is rather long and full of words too."
    texts = list(Chunker(embedder, 24, overlap=8).cut(Section([first, second])))
    assert texts == [first, f"The second is short.\n\n{second}"]
    texts = list(Chunker(embedder, 24, overlap=3).cut(Section([first, second])))
    assert texts == [first, second]


def test_headings_give_way(embedder: Embedder) -> None:
    long = "word " * 12 + "end"
    chunker = Chunker(embedder, 24, overlap=0)
    assert list(chunker.cut(Section(["a"], ("A", "B")))) == ["A > B\na"]
    assert list(chunker.cut(Section(["a"], (long, "B")))) == ["B\na"]
    assert list(chunker.cut(Section(["a"], ("B", long)))) == [f"{long}\n\na"]
    assert list(chunker.cut(Section([" ", "\n"], ("A",)))) == []
    assert list(chunker.cut(Section([]))) == []


def test_a_text_of_many_words_without_an_end_is_cut_between_them(embedder: Embedder) -> None:
    text = " ".join(["word"] * 1000)
    texts = list(Chunker(embedder, 50, overlap=0).cut(Section([text])))
    assert " ".join(texts) == text
    assert len(texts) <= 2 * 1000 / 48 + 1


@pytest.mark.parametrize(
    "text",
    [
        "a line of a log\n" * 20_000,
        "word " * 60_000,
        "x" * 300_000,
        "a. " * 5 + " " * 300_000 + "b",
    ],
)
def test_what_is_very_long_is_cut_before_it_is_counted(text: str) -> None:
    longest = 0

    class Watched(ByCharacter):
        def count_tokens(self, texts: list[str]) -> list[int]:
            nonlocal longest
            longest = max(longest, *map(len, texts))
            return super().count_tokens(texts)

    texts = list(Chunker(cast("Embedder", Watched()), overlap=8).cut(Section([text])))
    assert squeezed(texts[-1])[-1] == squeezed(text)[-1]
    assert longest < 2 * 64 * 64


@pytest.mark.parametrize("long", ["x" * 100_000, "\u4e2d" * 20_000])
def test_a_word_without_an_end_is_cut_where_it_is_one_token_too(model: Embedder, long: str) -> None:
    texts = list(Chunker(model, 60, overlap=0).cut(Section([long])))
    assert "".join(texts) == long
    assert max(map(len, texts)) <= 64 * 60
    texts = list(Chunker(model, 60, overlap=0).cut(Section(["a"], (long,))))
    assert squeezed("".join(texts)) == f"{long}a"


@pytest.mark.parametrize("headings", [(), ("long words " * 40, "\u200b" * 700, "end")])
@pytest.mark.parametrize(
    "pattern",
    ["\x01\n\n", "\u200b\n\n", "\x01\n", "a. ", "?\x01\n\n", "日。", "word ", "a\n\n", "x"],
)
def test_a_character_is_counted_a_limited_number_of_times(
    embedder: Embedder, pattern: str, headings: tuple[str, ...]
) -> None:
    counted = 0

    class Watched:
        info = embedder.info

        def count_tokens(self, texts: list[str]) -> list[int]:
            nonlocal counted
            counted += sum(map(len, texts))
            return embedder.count_tokens(texts)

    text = pattern * (8_000 // len(pattern))
    chunker = Chunker(cast("Embedder", Watched()))
    paragraphs = [part for part in text.split("\n\n") if part]
    texts = list(chunker.cut(Section(paragraphs, headings)))
    assert squeezed(texts[-1])[-1] == squeezed(text)[-1]
    # Of short paragraphs, each is counted with its headings, here up to 800 characters.
    assert counted < (500 if headings else 40) * len(text)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_tokens": 17}, "max_tokens must be between 18 and 256"),
        ({"max_tokens": 257}, "max_tokens must be between 18 and 256 for .*MiniLM.*, not 257"),
        ({"max_tokens": 102, "overlap": 51}, "overlap must be between 0 and 50, not 51"),
        ({"overlap": -1}, "overlap must be between 0"),
    ],
)
def test_limits_are_checked(embedder: Embedder, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Chunker(embedder, **options)


def test_the_default_fits_the_model() -> None:
    assert Chunker(cast("Embedder", ByCharacter()), overlap=0).max_tokens == 64
