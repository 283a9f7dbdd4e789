"""The group of commands."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from command import twinvec
from twinvec.cli import main


def test_every_command_has_help_with_examples_and_json() -> None:
    commands = {
        "certify",
        "convert",
        "embed",
        "index",
        "models",
        "search",
        "serve",
        "site",
        "verify",
    }
    assert set(main.commands) == commands
    for name, command in main.commands.items():
        answer = twinvec(name, "--help")
        assert answer.exit_code == 0
        assert "--json" in answer.output
        assert f"\n    twinvec {name}" in answer.output
        assert (command.help or "").splitlines()[0].endswith(".")


def test_a_value_error_is_a_message_without_a_traceback(tmp_path: Path, tiny: str) -> None:
    (tmp_path / "texts.txt").write_text("Hello world.\n", encoding="utf-8")
    out = tmp_path / "out.npy"
    answer = twinvec(
        "embed", tmp_path / "texts.txt", "--out", out, "--model", tiny, "--max-length", "9999"
    )
    assert answer.exit_code == 1
    assert isinstance(answer.exception, SystemExit)
    assert answer.stderr.startswith("Error: ValueError: ")
    assert "must be between 1 and" in answer.stderr
    assert not out.exists()


def test_an_error_is_shown_with_the_option_that_helps(tmp_path: Path) -> None:
    (tmp_path / "texts.bin").touch()
    answer = twinvec("embed", tmp_path / "texts.bin", "--out", tmp_path / "out.npy")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("Error: FormatError: ")
    assert answer.stderr.endswith("  To name the format: --format lines|jsonl|csv|tsv|parquet\n")


@pytest.mark.usefixtures("tmp_path")
def test_a_warning_is_its_message_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        command = main.commands["models"]
        monkeypatch.setattr(command, "callback", lambda **_: warnings.warn("odd", stacklevel=1))
        assert twinvec("models").stderr == "Warning: odd\n"
