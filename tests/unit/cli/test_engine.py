from __future__ import annotations

import sys
from typing import cast

import click
import pytest
from click.testing import CliRunner

from twinvec import Embedder
from twinvec.cli.engine import EngineChoice, engine_options
from twinvec.cli.options import ModelChoice


@click.command()
@engine_options
def show(engine: EngineChoice) -> None:
    click.echo(str(engine))


def test_options_reach_the_command() -> None:
    assert CliRunner().invoke(show, []).stdout == f"{EngineChoice('local', None, None)}\n"
    arguments = ["--engine", "ray", "--address", "head:6379", "--workers", "2"]
    expected = f"{EngineChoice('ray', 'head:6379', 2)}\n"
    assert CliRunner().invoke(show, arguments).stdout == expected


@pytest.mark.parametrize(
    "choice", [EngineChoice("local", "auto", None), EngineChoice("local", None, 2)]
)
def test_options_of_ray_need_ray(choice: EngineChoice) -> None:
    with pytest.raises(click.UsageError, match="--address and --workers are for --engine ray"):
        choice.check()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "twinvec.index.writing.ray_engine", raising=False)
    with pytest.raises(click.ClickException, match=r"pip install 'twinvec\[ray\]'"):
        EngineChoice("ray", None, None).check()


def test_the_local_engine_is_none() -> None:
    choice = EngineChoice("local", None, None)
    choice.check()
    embedder = cast("Embedder", object())
    with choice.open(embedder, ModelChoice(None, "fp32", None)) as engine:
        assert engine is None
