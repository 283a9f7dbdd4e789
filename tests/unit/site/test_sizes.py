from __future__ import annotations

from typing import TYPE_CHECKING

from conftest import DIST
from twinvec.site.sizes import measure_parts

if TYPE_CHECKING:
    from pathlib import Path


def test_a_part_is_sent_compressed_where_it_can_be(tmp_path: Path) -> None:
    for name, size in {"a": 10, "a.br": 3, "b": 5}.items():
        file = tmp_path / "runtime" / "tokenizers" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * size)
    assert measure_parts(tmp_path) == {"tokenizers": (15, 8)}


def test_the_fixed_part_stays_small() -> None:
    """Everything but the model and what no page loads."""
    parts = measure_parts(DIST)
    others = ("model", "index", "licenses, hashes")
    fixed = {part: size.sent for part, size in parts.items() if part not in others}
    assert all(fixed.values())
    assert sum(fixed.values()) <= 9_000_000, fixed
