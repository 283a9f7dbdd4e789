"""Turn a text into the ids that a model takes.

A runtime's tokenizer core (Rust on CPython, the same Rust as WASM in the browser) turns text into
ids without special tokens. The rest is shared Python: it adds special tokens as the post-processor
of `tokenizer.json` describes, and cuts the tail of a long text but keeps its final special token,
as Rust's own truncation does. (Transformers.js cuts afterwards and so loses the final one.) The
`truncation` and `padding` blocks of `tokenizer.json` are never used: all-MiniLM-L6-v2's file, for
example, pads every text to 128 tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import ModelError, UnsupportedModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twinvec.runtime.base import TokenizerCore

WHOLE_CHARACTERS = 1 << 16

MARGIN_TOKENS = 64
"""Tokens before a cut that are not used, since the cut may have changed them."""

_MAX_ID = 1 << 31


@dataclass(frozen=True)
class Encoding:
    """The ids of one text, int64 [tokens] each."""

    input_ids: NDArray[np.int64]
    token_type_ids: NDArray[np.int64]
    truncated: bool
    """True if the text lost its tail."""

    def __len__(self) -> int:
        """Count the tokens, special ones included."""
        return len(self.input_ids)


@dataclass(frozen=True)
class Template:
    """The special tokens around one text, as (id, type id) pairs."""

    prefix: tuple[tuple[int, int], ...] = ()
    suffix: tuple[tuple[int, int], ...] = ()
    text_type_id: int = 0

    @classmethod
    def from_post_processor(cls, post_processor: Mapping[str, Any] | None) -> Template:
        """Read the `post_processor` of a `tokenizer.json`.

        Raises:
            UnsupportedModelError: twinvec does not implement its type.
            ModelError: it has parts of the wrong type, or lacks one.
        """
        if post_processor is None:
            return cls()
        try:
            template = cls._from_json(post_processor)
            for number in chain(*template.prefix, *template.suffix, [template.text_type_id]):
                _check_id(number)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as err:
            raise ModelError(
                f"tokenizer.json: the post_processor cannot be read ({err!r}); get the file again "
                "from the model's source"
            ) from err
        return template

    @classmethod
    def _from_json(cls, post_processor: Mapping[str, Any]) -> Template:
        match post_processor["type"]:
            case "TemplateProcessing":
                return cls._from_template(post_processor)
            case "BertProcessing" | "RobertaProcessing":
                cls_id, sep_id = post_processor["cls"][1], post_processor["sep"][1]
                return cls(((cls_id, 0),), ((sep_id, 0),))
            case "ByteLevel":  # changes offsets, never ids
                return cls()
            case "Sequence":
                templates = map(cls.from_post_processor, post_processor["processors"])
                adding = [template for template in templates if template != cls()]
                if len(adding) <= 1:
                    return adding[0] if adding else cls()
        raise UnsupportedModelError(
            f"tokenizer.json: post_processor of type {post_processor['type']!r} is not supported; "
            "supported are TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and "
            "a Sequence in which at most one of them adds tokens"
        )

    @classmethod
    def _from_template(cls, post_processor: Mapping[str, Any]) -> Template:
        prefix: list[tuple[int, int]] = []
        suffix: list[tuple[int, int]] = []
        text_type_ids = []
        for piece in post_processor["single"]:
            if "Sequence" in piece:
                text_type_ids.append(piece["Sequence"]["type_id"])
                continue
            special = piece["SpecialToken"]
            ids = post_processor["special_tokens"][special["id"]]["ids"]
            target = suffix if text_type_ids else prefix
            target.extend((token_id, special["type_id"]) for token_id in ids)
        if len(text_type_ids) != 1:
            raise UnsupportedModelError(
                "tokenizer.json: the 'single' template of TemplateProcessing must contain the text "
                f"exactly once, but contains it {len(text_type_ids)} times"
            )
        return cls(tuple(prefix), tuple(suffix), text_type_ids[0])


class Tokenizer:
    """A runtime's tokenizer core with special tokens and truncation.

    Args:
        core: the runtime's tokenizer.
        max_length: the most tokens of a text, special tokens included.
        whole_characters: length up to which a text is always tokenized as a whole.

    Raises:
        ValueError: `max_length` leaves no room for a token of the text.
    """

    def __init__(
        self, core: TokenizerCore, max_length: int, *, whole_characters: int = WHOLE_CHARACTERS
    ) -> None:
        self.max_length = max_length
        self._core = core
        self._whole_characters = whole_characters
        template = Template.from_post_processor(core.post_processor)
        self._type_id = template.text_type_id
        self._prefix = np.array(template.prefix, np.int64).reshape(-1, 2)
        self._suffix = np.array(template.suffix, np.int64).reshape(-1, 2)
        self._room = max_length - len(self._prefix) - len(self._suffix)
        if self._room < 1:
            raise ValueError(f"max_length {max_length} leaves no room beside the special tokens")

    def encode(self, text: str) -> Encoding:
        """Tokenize one text, add the special tokens, truncate to `max_length`."""
        all_ids = self._first_ids(text)
        text_ids, prefix, suffix = all_ids[: self._room], self._prefix, self._suffix
        input_ids = np.concatenate((prefix[:, 0], text_ids, suffix[:, 0]), dtype=np.int64)
        type_ids = np.full(len(input_ids), self._type_id, np.int64)
        type_ids[: len(prefix)] = prefix[:, 1]
        type_ids[len(input_ids) - len(suffix) :] = suffix[:, 1]
        return Encoding(input_ids, type_ids, len(all_ids) > len(text_ids))

    def count(self, text: str) -> int:
        """Count the tokens of one text, special ones and a truncated tail included."""
        return len(self._prefix) + len(self._core.encode(well_formed(text))) + len(self._suffix)

    def _first_ids(self, text: str) -> NDArray[np.integer[Any]]:
        """Tokenize one text; of a very long one only as much as decides the ids in use.

        A tokenizer takes memory of a hundred times the text, which ends a page. Tokens depend on
        the text near them. So the beginning is tokenized twice, the second time with as much text
        again: ids that this does not change, a margin before the first cut, are those of the text.
        """
        shorter: NDArray[np.integer[Any]] | None = None
        length = self._whole_characters
        while length < len(text):
            ids = self._core.encode(well_formed(_beginning(text, length)))
            if (
                shorter is not None
                and len(shorter) >= self._room + MARGIN_TOKENS
                and np.array_equal(ids[: self._room], shorter[: self._room])
            ):
                return ids
            shorter, length = ids, 2 * length
        return self._core.encode(well_formed(text))


def _beginning(text: str, length: int) -> str:
    """Cut a text to at most `length` characters; before white space, if the second half has any."""
    beginning = text[:length]
    end = max(map(beginning.rfind, " \n\t"))
    return beginning[:end].rstrip() if end > length // 2 else beginning


def _check_id(number: object) -> None:
    if type(number) is not int or not 0 <= number < _MAX_ID:
        raise ValueError(f"{number!r} is not an id")


def well_formed(text: str) -> str:
    """Replace every lone surrogate by U+FFFD and join surrogate pairs.

    A `str` may contain surrogates, which UTF-8 and so every tokenizer cannot represent.
    JavaScript's encoder makes the same replacement; making it here keeps both runtimes equal.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def check_texts(texts: Iterable[str], name: str = "texts") -> list[str]:
    """Check that an argument is an iterable of strings, and return it as a list.

    Raises:
        TypeError: `texts` is a bare `str` or not iterable, or an item is not a string; the message
            names its position.
    """
    if isinstance(texts, str):
        raise TypeError(f"{name} must be a list of strings, not one str; write [text]")
    if not isinstance(texts, Iterable) or isinstance(texts, (bytes, Mapping)):
        raise TypeError(f"{name} must be a list of strings, not {type(texts).__name__}")
    checked = list(texts)
    for position, text in enumerate(checked):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{position}] must be a str, not {type(text).__name__}")
    return checked
