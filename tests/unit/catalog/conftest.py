"""A small model on a local Hub, and a Hub that cannot be reached."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fake_hub import MODEL_FILES, PINNED, Hub, point_hub_at, running_hub
from twinvec.catalog.pins import PINS


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setitem(PINS, PINNED.name, PINNED)
    with running_hub(MODEL_FILES, monkeypatch) as server:
        yield server


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the Hub's address to a port where nothing listens any more."""
    with Hub({}) as closed:
        port = closed.server_port
    point_hub_at(port, monkeypatch)
