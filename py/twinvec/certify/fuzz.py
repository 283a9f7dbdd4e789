"""The token ids of random strings in a browser, compared with CPython's.

A digest of each block of strings crosses to and fro, so that a million strings take minutes. Only
where digests differ, the ids of the block do.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.certify.engines import Engine
from twinvec.certify.record import site_models
from twinvec.certify.runs import Conditions, serve_run
from twinvec.certify.strings import random_strings
from twinvec.encoding.tokenizer import Tokenizer
from twinvec.errors import EngineError
from twinvec.model.facts import read_json
from twinvec.runtime.native import NativeTokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BLOCK_STRINGS = 500
BLOCKS_PER_REQUEST = 20
SECONDS_PER_REQUEST = 600

OPEN = 'async (dtype) => (await import("./tokens.js")).open(dtype)'
DIGESTS = 'async (address) => (await import("./tokens.js")).digests(address)'
IDS = 'async (texts) => (await import("./tokens.js")).ids(texts)'


class TokenFuzz:
    """Random strings for the tokenizer of a site's first model, and the digests of their ids.

    ::

        fuzz = TokenFuzz(Path("dist"), strings=20_000)
        fuzz.run("firefox", page, report=print)["failures"]

    Args:
        site: folder of the site.
        strings: number of strings, rounded up to whole blocks.
        seed: seed of the strings.
    """

    def __init__(self, site: Path, strings: int, seed: int = 0) -> None:
        self.site = site
        (info, *_) = site_models(site)
        file = site / "models" / info.name / "tokenizer.json"
        self._tokenizer = Tokenizer(NativeTokenizer(file), info.max_length)
        self._specials = [token["content"] for token in read_json(file).get("added_tokens") or ()]
        self._dtype = min(info.weights, key=lambda dtype: info.files[info.weights[dtype]]["bytes"])
        self._seed = seed
        self._blocks = -(-strings // BLOCK_STRINGS)
        self._digests: dict[int, str] = {}

    def run(
        self, engine_name: str, page: Path, report: Callable[[str], object] = lambda _: None
    ) -> dict[str, Any]:
        """Tokenize the strings in an engine.

        Args:
            engine_name: an engine that is installed.
            page: folder of the page of a certificate; a file of strings is written there.
            report: called with a line at the end.

        Returns:
            JSON-ready: the engine, the number of strings, and `failures` with a minimal string.
        """
        start = time.monotonic()
        failures: list[str] = []
        with (
            tempfile.TemporaryDirectory(prefix="twinvec-") as folder,
            serve_run(self.site, page, Path(folder), Conditions()) as address,
            Engine(engine_name) as engine,
        ):
            try:
                engine.open(address)
                engine.evaluate(OPEN, self._dtype, seconds=SECONDS_PER_REQUEST)
                failures += self._failures(engine, page / "strings.json")
            except EngineError as err:
                failures.append(str(err))
        seconds = round(time.monotonic() - start, 1)
        strings = self._blocks * BLOCK_STRINGS
        outcome = "; ".join(f"FAILED: {failure}" for failure in failures) or "the same token ids"
        report(f"{engine_name}, {strings:,} random strings: {outcome}, {seconds} s")
        return {
            "engine": engine_name,
            "strings": strings,
            "failures": failures,
            "seconds": seconds,
        }

    def _failures(self, engine: Engine, file: Path) -> Iterator[str]:
        """Yield a failure for each block whose ids differ."""
        for first in range(0, self._blocks, BLOCKS_PER_REQUEST):
            numbers = range(first, min(first + BLOCKS_PER_REQUEST, self._blocks))
            blocks = [self._strings(number) for number in numbers]
            file.write_text(json.dumps(blocks), encoding="utf-8")
            digests = engine.evaluate(DIGESTS, file.name, seconds=SECONDS_PER_REQUEST)
            for number, strings, digest in zip(numbers, blocks, digests, strict=True):
                if digest != self._digest(number, strings):
                    yield self._explain(engine, strings)

    def _strings(self, number: int) -> list[str]:
        """Make the strings of a block."""
        return random_strings(BLOCK_STRINGS, f"{self._seed} {number}", self._specials)

    def _digest(self, number: int, strings: list[str]) -> str:
        """Compute the digest of a block, once for all engines."""
        if number not in self._digests:
            self._digests[number] = digest_of(self._ids(strings))
        return self._digests[number]

    def _ids(self, strings: Sequence[str]) -> list[list[int]]:
        return [self._tokenizer.encode(text).input_ids.tolist() for text in strings]

    def _explain(self, engine: Engine, strings: list[str]) -> str:
        """Find a smallest string whose ids differ, and describe it."""

        def differs(texts: Sequence[str]) -> list[bool]:
            page_ids = engine.evaluate(IDS, list(texts), seconds=SECONDS_PER_REQUEST)
            return [left != right for left, right in zip(page_ids, self._ids(texts), strict=True)]

        different = [text for text, differ in zip(strings, differs(strings), strict=True) if differ]
        if not different:
            return "a block of strings has another digest, but the same ids"
        text = smallest(min(different, key=len), differs)
        (page_ids,) = engine.evaluate(IDS, [text])
        (native_ids,) = self._ids([text])
        points = " ".join(f"U+{ord(character):04X}" for character in text)
        return (
            f"{len(different)} of {len(strings)} strings have other token ids; the smallest is "
            f"{text!a} ({points}): {page_ids} instead of {native_ids}"
        )


def digest_of(ids: Sequence[Sequence[int]]) -> str:
    """Return the SHA-256 of ids: int32, of each text their number and then the ids."""
    numbers = [number for text_ids in ids for number in (len(text_ids), *text_ids)]
    return hashlib.sha256(np.array(numbers, "<i4").tobytes()).hexdigest()


def smallest(text: str, differs: Callable[[Sequence[str]], list[bool]]) -> str:
    """Remove parts of a string for as long as it still differs.

    Args:
        text: a string that differs.
        differs: checks many strings at once.

    Returns:
        A string that differs, of which no single character can be removed.
    """
    size = max(1, len(text) // 2)
    while True:
        shorter = [text[:start] + text[start + size :] for start in range(0, len(text), size)]
        candidates = [candidate for candidate in shorter if candidate]
        results = differs(candidates) if candidates else []
        still = next((c for c, differ in zip(candidates, results, strict=True) if differ), None)
        if still is not None:
            text = still
        elif size == 1:
            return text
        else:
            size //= 2
        size = max(1, min(size, len(text) // 2))
