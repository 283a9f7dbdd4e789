from __future__ import annotations

from pathlib import Path

import pytest

from twinvec import errors
from twinvec.cli import main
from twinvec.cli.hints import HINTS, message_with_hints


def lines_of(err: Exception, command: str) -> list[str]:
    return message_with_hints(err, main.commands[command]).splitlines()


@pytest.mark.parametrize(
    ("err", "command", "hints"),
    [
        (
            errors.RecordError("a.csv", "bad", 2),
            "embed",
            ["To leave out such records: --on-error skip"],
        ),
        (
            errors.RecordFieldError("a.jsonl", "no field", 2),
            "embed",
            ["To choose a field: --field NAME", "To leave out such records: --on-error skip"],
        ),
        (
            errors.RecordError("a.csv", "bad", 2),
            "index",
            [
                "To leave out such records: --on-error skip",
                "To leave out files and folders: --exclude PATTERN",
            ],
        ),
        (errors.FieldError("a.csv", "no field"), "embed", ["To choose a field: --field NAME"]),
        (errors.FileError("a.pdf", "bad"), "embed", []),
        (
            errors.FileError("a.pdf", "bad"),
            "index",
            ["To leave out files and folders: --exclude PATTERN"],
        ),
        (
            errors.FolderError("a", "Permission denied"),
            "index",
            ["To leave out files and folders: --exclude PATTERN"],
        ),
        (
            errors.FormatError("a.xyz", [".txt"]),
            "embed",
            ["To name the format: --format lines|jsonl|csv|tsv|parquet"],
        ),
        (
            errors.NameClashError((Path("a"), Path("b")), "c"),
            "index",
            ["To choose files by their names: --include PATTERN"],
        ),
        (
            errors.NoClusterError("no cluster"),
            "index",
            ["To name the cluster: --address HOST:PORT"],
        ),
        (
            errors.WeightsNotFoundError("no weights"),
            "search",
            ["To name the model or folder: --model NAME"],
        ),
        (errors.WeightsNotFoundError("no weights"), "verify", []),
        (errors.ModelError("bad"), "embed", []),
        (ValueError("bad"), "embed", []),
    ],
)
def test_hints_are_the_options_that_the_command_has(
    err: Exception, command: str, hints: list[str]
) -> None:
    first, *rest = lines_of(err, command)
    assert first == f"{type(err).__name__}: {err}"
    assert [line.strip() for line in rest] == hints


def test_every_hint_names_an_option_of_some_command() -> None:
    options = {
        option
        for command in main.commands.values()
        for parameter in command.params
        for option in parameter.opts
    }
    for option, line in HINTS.values():
        assert option in options
        assert option in line


def test_messages_of_the_library_name_no_option() -> None:
    """The command line alone knows its options."""
    root = Path(errors.__file__).parent
    options = {option for option, _ in HINTS.values()}
    files = [file for file in root.rglob("*.py") if "cli" not in file.relative_to(root).parts]
    assert len(files) > 50
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not [option for option in options if f"{option} " in text or f'{option}"' in text]
