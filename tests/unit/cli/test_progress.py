from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr

import pytest

from twinvec.cli.progress import ProgressBars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def bars_on(terminal: Terminal) -> Iterator[ProgressBars]:
    with redirect_stderr(terminal), closing(ProgressBars()) as bars:
        yield bars


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_a_bar_shows_what_was_done(terminal: Terminal) -> None:
    with bars_on(terminal) as bars:
        show = bars.callback("Embedding", "texts")
        show(0, 10)
        show(4, 10)
        show(10, 10)
    assert "Embedding: 100%" in terminal.getvalue()
    assert "10/10" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


def test_work_of_an_earlier_run_counts_as_done(terminal: Terminal) -> None:
    with bars_on(terminal) as bars:
        show = bars.callback("Embedding", "texts", initial=8)
        show(8, 10)
        show(10, 10)
    assert "10/10" in terminal.getvalue()


def test_a_new_bar_ends_the_one_before(terminal: Terminal) -> None:
    with bars_on(terminal) as bars:
        reading, embedding = bars.callback("Reading", "files"), bars.callback("Embedding", "texts")
        reading(3)
        embedding(1, 1)
    lines = [line.rpartition("\r")[2] for line in terminal.getvalue().split("\n")]
    assert lines[0].startswith("Reading: 3 files")
    assert lines[1].startswith("Embedding: 100%")


def test_a_bar_that_is_never_used_is_not_drawn(terminal: Terminal) -> None:
    with bars_on(terminal) as bars:
        bars.callback("Embedding", "texts")
    assert terminal.getvalue() == ""


def test_nothing_is_drawn_outside_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(ProgressBars()) as bars:
        bars.callback("Embedding", "texts")(10, 10)
    assert capsys.readouterr().err == ""
