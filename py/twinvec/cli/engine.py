"""The options `--engine`, `--address` and `--workers`: where passages are embedded."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinvec.embedder import Embedder

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from twinvec.cli.options import Command, ModelChoice
    from twinvec.index.writing.update import Engine


@dataclass(frozen=True)
class EngineChoice:
    """The place where passages are embedded.

    Example:
        >>> EngineChoice("ray", "head:6379", None).check()
    """

    engine: str
    address: str | None
    workers: int | None

    def check(self) -> None:
        """Refuse options that do not fit, and a missing package, before the work."""
        if self.engine == "local":
            if self.address or self.workers:
                raise click.UsageError("--address and --workers are for --engine ray")
            return
        try:
            import twinvec.index.writing.ray_engine  # noqa: F401 (an optional dependency)
        except ImportError as err:
            raise click.ClickException(
                f"--engine ray needs Ray Data: pip install 'twinvec[ray]' ({err})"
            ) from err

    def open(self, embedder: Embedder, model: ModelChoice) -> AbstractContextManager[Engine | None]:
        """Join or start the cluster; None embeds in this process."""
        if self.engine == "local":
            return nullcontext()
        from twinvec.index.writing.ray_engine import RayEngine  # an optional dependency

        # The name of the opened model, since a stand-in may replace the default one; a folder by
        # its absolute path, which may exist on other machines too.
        is_folder = model.model and Path(model.model).is_dir()
        name = str(Path(str(model.model)).resolve()) if is_folder else embedder.info.name
        open_embedder = partial(
            Embedder.from_pretrained, name, dtype=embedder.dtype, revision=model.revision
        )
        return RayEngine(
            open_embedder, embedder.fingerprint, address=self.address, workers=self.workers
        )


def engine_options(command: Command) -> Command:
    """Add `--engine`, `--address` and `--workers`; the command receives an `EngineChoice`."""

    @click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Embed in this process, or on a Ray cluster; the index is the same.",
    )
    @click.option(
        "--address",
        help="Address of the Ray cluster, host:port or auto.  [default: start one here]",
    )
    @click.option(
        "--workers",
        type=click.IntRange(min=1),
        help="Processes on the Ray cluster, one core each.  [default: all cores]",
    )
    @wraps(command)
    def with_engine(
        *, engine: str, address: str | None, workers: int | None, **others: Any
    ) -> None:
        command(engine=EngineChoice(engine, address, workers), **others)

    return with_engine
