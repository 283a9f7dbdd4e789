"""What several verbs have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from twinvec.embedder import Embedder
from twinvec.errors import ModelNotFoundError
from twinvec.model.dtypes import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Verb = TypeVar("Verb", bound=Callable[..., object])

INTERRUPTED = 130
"""The exit code that a shell gives for Ctrl+C."""

as_json = click.option("--json", "as_json", is_flag=True, help="Report as JSON.")


def which_model(verb: Verb) -> Verb:
    """Add what chooses a model."""
    dtypes = click.Choice(list(DTYPES))
    for option in (
        click.option("--revision", help="A commit, branch or tag on the Hub."),
        click.option(
            "--dtype", type=dtypes, default="fp32", show_default=True, help="Which weights."
        ),
        click.option("--model", help="Hub name or local folder; the default model unless given."),
    ):
        verb = option(verb)
    return verb


def open_embedder(fingerprint: Mapping[str, Any], model: str | None) -> Embedder:
    """Open the embedder of an index; an error names the option for the model."""
    try:
        return Embedder.from_fingerprint(fingerprint, model)
    except ModelNotFoundError as err:
        raise ModelNotFoundError(f"{err}: --model") from err


def plural(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
