"""A runtime that computes otherwise is noticed at load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error

from conftest import DIST, SUB_PATH, TEST_PAGE, open_tab, overlay, serving

pytestmark = pytest.mark.browser


@pytest.fixture
def other_reference(tmp_path: Path) -> Iterator[str]:
    """A site whose reference says 0.001 more than the weights give, in one dimension."""
    folder = overlay(tmp_path, changed={"test.html": TEST_PAGE})
    models = folder / SUB_PATH / "models"
    models.unlink()
    shutil.copytree(DIST / "models", models, ignore=shutil.ignore_patterns("manifest.json"))
    block = json.loads((DIST / "models" / "manifest.json").read_text(encoding="utf-8"))
    block["models"][0]["probes"]["fp32"]["vectors"][0][100] += 1e-3
    (models / "manifest.json").write_text(json.dumps(block), encoding="utf-8")
    with serving(folder) as address:
        yield f"{address}{SUB_PATH}/"


def test_a_deviation_is_an_error(browser: Browser, other_reference: str) -> None:
    with pytest.raises(Error) as raised:
        open_tab(browser, other_reference)
    message = str(raised.value)
    assert "ParityError: " in message
    assert "(fp32) gives vectors that differ by 0.001 from" in message
    assert "at most 2e-06 is expected" in message


def test_it_can_be_switched_off(browser: Browser, other_reference: str) -> None:
    tab = open_tab(browser, other_reference, "?self_check=false")
    assert tab.page.evaluate("extractor.versions.deviation") is None
    dims, _ = tab.encode(["Hello world."])
    assert dims[0] == 1
    tab.page.context.close()
