"""From a text to the ids a model is fed.

The tokenizer core (Rust on CPython, the same Rust as WASM in the browser) turns text into ids
without special tokens. What comes after it is shared Python: special tokens are added as
`tokenizer.json`'s post-processor says, and a long text loses its tail but keeps its final special
token, as Rust's own truncation does. (Transformers.js cuts after adding them and so loses the
final one.) The `truncation` and `padding` blocks inside `tokenizer.json` are never used:
all-MiniLM-L6-v2's file, for one, pads every text to 128 tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import UnsupportedModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twinvec.runtime.base import TokenizerCore

__all__ = ["Encoding", "Template", "Tokenizer", "check_texts", "well_formed"]


@dataclass(frozen=True)
class Encoding:
    """One text's ids, int64 [tokens] each, and how many tokens the whole text has."""

    input_ids: NDArray[np.int64]
    token_type_ids: NDArray[np.int64]
    full_length: int

    def __len__(self) -> int:
        """Count the tokens, special ones included."""
        return len(self.input_ids)

    @property
    def truncated(self) -> bool:
        """Whether the text did not fit."""
        return self.full_length > len(self)


@dataclass(frozen=True)
class Template:
    """What a post-processor puts around one text, as (id, type id) pairs."""

    prefix: tuple[tuple[int, int], ...] = ()
    suffix: tuple[tuple[int, int], ...] = ()
    text_type_id: int = 0

    @classmethod
    def from_post_processor(cls, block: Mapping[str, Any] | None) -> Template:
        """Read the `post_processor` block of a `tokenizer.json`.

        Raises:
            UnsupportedModelError: its type is not one that twinvec implements.
        """
        if block is None:
            return cls()
        match block["type"]:
            case "TemplateProcessing":
                return cls._from_template(block)
            case "BertProcessing" | "RobertaProcessing":
                return cls(((block["cls"][1], 0),), ((block["sep"][1], 0),))
            case "ByteLevel":  # moves offsets only, never ids
                return cls()
            case "Sequence":
                templates = [cls.from_post_processor(part) for part in block["processors"]]
                adding = [template for template in templates if template != cls()]
                if len(adding) <= 1:
                    return adding[0] if adding else cls()
        raise UnsupportedModelError(
            f"tokenizer.json: post_processor of type {block['type']!r} is not supported; "
            "supported are TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and "
            "a Sequence in which one of them adds tokens"
        )

    @classmethod
    def _from_template(cls, block: Mapping[str, Any]) -> Template:
        prefix: list[tuple[int, int]] = []
        suffix: list[tuple[int, int]] = []
        text_type_ids = []
        for piece in block["single"]:
            if "Sequence" in piece:
                text_type_ids.append(piece["Sequence"]["type_id"])
                continue
            special = piece["SpecialToken"]
            ids = block["special_tokens"][special["id"]]["ids"]
            target = suffix if text_type_ids else prefix
            target.extend((token_id, special["type_id"]) for token_id in ids)
        if len(text_type_ids) != 1:
            raise UnsupportedModelError(
                "tokenizer.json: post_processor TemplateProcessing must hold the text exactly once "
                f"in its 'single' template, found it {len(text_type_ids)} times"
            )
        return cls(tuple(prefix), tuple(suffix), text_type_ids[0])


class Tokenizer:
    """Shared logic around a runtime's tokenizer core.

    Args:
        core: the runtime's tokenizer.
        max_length: the most tokens a text may have, special ones included.

    Raises:
        ValueError: `max_length` leaves no room for a single token of text.
    """

    def __init__(self, core: TokenizerCore, max_length: int) -> None:
        self.max_length = max_length
        self._core = core
        template = Template.from_post_processor(core.post_processor)
        self._type_id = template.text_type_id
        self._prefix = np.array(template.prefix, np.int64).reshape(-1, 2)
        self._suffix = np.array(template.suffix, np.int64).reshape(-1, 2)
        self._room = max_length - len(self._prefix) - len(self._suffix)
        if self._room < 1:
            raise ValueError(f"max_length {max_length} leaves no room beside the special tokens")

    def encode(self, text: str) -> Encoding:
        """Tokenize one text, add the special tokens, truncate to `max_length`."""
        ids = self._core.encode(well_formed(text))
        kept, prefix, suffix = ids[: self._room], self._prefix, self._suffix
        input_ids = np.concatenate((prefix[:, 0], kept, suffix[:, 0]), dtype=np.int64)
        type_ids = np.full(len(input_ids), self._type_id, np.int64)
        type_ids[: len(prefix)] = prefix[:, 1]
        type_ids[len(input_ids) - len(suffix) :] = suffix[:, 1]
        return Encoding(input_ids, type_ids, len(input_ids) + len(ids) - len(kept))


def well_formed(text: str) -> str:
    """Replace every lone surrogate by U+FFFD, and join surrogate pairs.

    A `str` may hold surrogates that UTF-8, and so every tokenizer, cannot. JavaScript's encoder
    does the same replacement; doing it here makes both runtimes agree by construction.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def check_texts(texts: Iterable[str]) -> list[str]:
    """Check that `texts` is a list of strings, and return it as a list.

    Raises:
        TypeError: it is a bare `str`, is not iterable, or an item (named by its position) is not
            a string.
    """
    if isinstance(texts, str):
        raise TypeError("texts must be a list of strings, not one str; write encode([text])")
    if not isinstance(texts, Iterable) or isinstance(texts, (bytes, Mapping)):
        raise TypeError(f"texts must be a list of strings, not {type(texts).__name__}")
    checked = list(texts)
    for position, text in enumerate(checked):
        if not isinstance(text, str):
            raise TypeError(f"texts[{position}] must be a str, not {type(text).__name__}")
    return checked
