"""The same assertions on every runtime."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

CASES = [
    node.name
    for node in ast.parse(Path(__file__).with_name("cases.py").read_text(encoding="utf-8")).body
    if isinstance(node, ast.AsyncFunctionDef)
]


@pytest.mark.parametrize("case", CASES)
def test_contract(case: str, runtime: Callable[[str], None]) -> None:
    runtime(case)
