"""Fields of records."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def missing_field(field: str, names: Iterable[str]) -> str:
    """Describe a missing field, with the names of the existing ones."""
    return f'no field "{field}"; it has {", ".join(names) or "none"}'
