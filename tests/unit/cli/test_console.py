from __future__ import annotations

import pytest

from twinvec.cli.console import exit_on_interrupt, first_lines, plural


def test_numbers_agree_with_their_nouns() -> None:
    assert plural(1, "file") == "1 file"
    assert plural(0, "file") == "0 files"
    assert plural(1024, "file") == "1,024 files"


def test_long_lists_of_lines_are_shortened() -> None:
    assert first_lines("line", [2, 4]) == "line 2, 4"
    assert first_lines("row", [1, 2, 3, 4, 5]) == "row 1, 2, 3, 4, 5"
    assert first_lines("row", [1, 2, 3, 4, 5, 6]) == "row 1, 2, 3, 4, 5, ..."


def test_an_interrupt_is_a_message_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, exit_on_interrupt("Interrupted."):
        raise KeyboardInterrupt
    assert caught.value.code == 130
    assert capsys.readouterr().err == "Interrupted.\n"
