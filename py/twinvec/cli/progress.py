"""Progress bars on standard error: the only module that imports tqdm."""

from __future__ import annotations

from typing import Any, Protocol


class ShowProgress(Protocol):
    """Draws the work done so far on a bar."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """Draw the bar; `total` is None if it is unknown."""


class ProgressBars:
    """Draws one bar at a time, and none where standard error is no terminal.

    Example:
        >>> with closing(ProgressBars()) as bars:
        ...     show_progress = bars.callback("Embedding", "texts")
        ...     show_progress(256, 1000)
    """

    def __init__(self) -> None:
        self._bar: Any = None

    def callback(self, description: str, unit: str, initial: int = 0) -> ShowProgress:
        """Return a callback that opens a bar when it is first called.

        Args:
            description: text before the bar.
            unit: plural noun of the counted things.
            initial: work that was done in an earlier run.
        """
        bar: Any = None

        def show(done: int, total: int | None = None) -> None:
            nonlocal bar
            if bar is None:
                bar = self._open(description, unit, initial)
            bar.total = total
            bar.update(done - bar.n)

        return show

    def close(self) -> None:
        """End the current bar."""
        if self._bar is not None:
            self._bar.close()

    def _open(self, description: str, unit: str, initial: int) -> Any:
        from tqdm import tqdm  # start-up: most commands draw no bar

        self.close()
        self._bar = tqdm(
            desc=description,
            unit=f" {unit}",
            initial=initial,
            disable=None,  # where standard error is no terminal
        )
        return self._bar
