"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from twinvec.catalog.pins import DEFAULT
from twinvec.embedder import Embedder
from twinvec.model.dtypes import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., None]

json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


@dataclass(frozen=True)
class ModelChoice:
    """The model that `--model`, `--dtype` and `--revision` name.

    Example:
        >>> ModelChoice(None, "w8", None).open().dtype
        'w8'
    """

    model: str | None
    dtype: str
    revision: str | None

    def open(self, max_length: int | None = None) -> Embedder:
        """Open the model; see `Embedder.from_pretrained`."""
        return Embedder.from_pretrained(
            self.model, dtype=self.dtype, revision=self.revision, max_length=max_length
        )


def model_options(command: Command) -> Command:
    """Add `--model`, `--dtype` and `--revision`; the command receives a `ModelChoice`."""

    @click.option("--model", help=f"Hub name or local folder.  [default: {DEFAULT.name}]")
    @click.option(
        "--dtype",
        type=click.Choice(list(DTYPES)),
        default="fp32",
        show_default=True,
        help="Weights of the model.",
    )
    @click.option("--revision", help="Commit, branch or tag on the Hub.")
    @wraps(command)
    def with_model(*, model: str | None, dtype: str, revision: str | None, **others: Any) -> None:
        command(model=ModelChoice(model, dtype, revision), **others)

    return with_model


on_error_option = click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="Stop at the first file or record that cannot be read, before anything is embedded; or "
    "skip it and report it at the end.",
)


def examples(*commands: str) -> str:
    """Format commands as the examples at the end of a help text."""
    title = "Example:" if len(commands) == 1 else "Examples:"
    return "\b\n" + "\n".join([title, *(f"  {command}" for command in commands)])
