"""The engines and texts that `twinvec certify` takes; no browser."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click
import pytest

from command import twinvec
from twinvec.cli.certify import choose_engines, choose_sample


def test_wrong_combinations_are_refused(tmp_path: Path) -> None:
    answer = twinvec("certify", "model", "--site", tmp_path)
    assert answer.exit_code == 2
    assert "either MODEL or --site" in answer.stderr
    answer = twinvec("certify", "model", "--page")
    assert "--page needs --site" in answer.stderr


def test_a_folder_that_is_no_site_is_a_message(tmp_path: Path) -> None:
    answer = twinvec("certify", "--site", tmp_path, "--page")
    assert answer.exit_code == 1
    assert "name a folder that `twinvec site` wrote" in answer.stderr


def test_texts_of_a_file_are_used(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"text": "a panda"}\n{"text": "a lion"}\n', encoding="utf-8")
    assert choose_sample(file, quick=False).texts == ["a panda", "a lion"]
    assert len(choose_sample(None, quick=True).texts) < len(choose_sample(None, quick=False).texts)


def test_missing_engines_are_left_out_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {"chromium": None, "firefox": "no Firefox", "webkit": "no WebKit"}
    module = import_module("twinvec.cli.certify")  # the package's attribute is the command
    monkeypatch.setattr(module, "missing_part", reasons.__getitem__)
    assert choose_engines(None) == ["chromium"]
    assert choose_engines("chromium") == ["chromium"]
    with pytest.raises(click.ClickException, match="no Firefox"):
        choose_engines("chromium, firefox")
    monkeypatch.setattr(module, "missing_part", lambda _: "none")
    with pytest.raises(click.ClickException, match="no browser engine is installed"):
        choose_engines(None)
