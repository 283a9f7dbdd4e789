from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from twinvec.cli.options import (
    ModelChoice,
    examples,
    json_option,
    model_options,
    on_error_option,
)


@click.command(epilog=examples("show --json"))
@model_options
@on_error_option
@json_option
def show(*, model: ModelChoice, on_error: str, as_json: bool) -> None:
    click.echo(f"{model} {on_error} {as_json}")


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        ([], f"{ModelChoice(None, 'fp32', None)} stop False"),
        (
            ["--model", "a", "--dtype", "w8", "--revision", "main", "--on-error", "skip", "--json"],
            f"{ModelChoice('a', 'w8', 'main')} skip True",
        ),
    ],
)
def test_shared_options_reach_the_command(arguments: list[str], output: str) -> None:
    answer = CliRunner().invoke(show, arguments)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == f"{output}\n"


def test_an_unknown_dtype_is_refused() -> None:
    assert CliRunner().invoke(show, ["--dtype", "zz"]).exit_code == 2


def test_examples_keep_their_lines() -> None:
    assert examples("a") == "\b\nExample:\n  a"
    assert examples("a", "b") == "\b\nExamples:\n  a\n  b"
    assert "\n  Example:\n    show --json\n" in CliRunner().invoke(show, ["--help"]).stdout


def test_the_chosen_model_is_opened(tiny: str) -> None:
    embedder = ModelChoice(tiny, "w8a8", None).open(max_length=8)
    assert (embedder.dtype, embedder.info.max_length) == ("w8a8", 8)
    embedder.close()
