from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinvec import TwinvecError
from twinvec.site.node import run_script

if TYPE_CHECKING:
    from pathlib import Path


def test_a_script_gets_its_arguments(tmp_path: Path) -> None:
    script = tmp_path / "copy.mjs"
    script.write_text(
        'import { copyFileSync } from "node:fs"; copyFileSync(...process.argv.slice(2));', "utf-8"
    )
    run_script(script, script, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == script.read_bytes()


def test_a_script_that_fails_is_named(tmp_path: Path) -> None:
    script = tmp_path / "broken.mjs"
    script.write_text('throw new Error("no luck");', encoding="utf-8")
    with pytest.raises(TwinvecError, match=r"broken\.mjs failed: (.|\n)*no luck"):
        run_script(script)


def test_without_node_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TwinvecError, match=r"install Node\.js"):
        run_script(tmp_path / "any.mjs")
