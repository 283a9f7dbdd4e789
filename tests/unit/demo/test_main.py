from __future__ import annotations

from typing import TYPE_CHECKING

from demo.__main__ import PAGE, write_page

if TYPE_CHECKING:
    from pathlib import Path


def test_the_page_lies_at_the_root_and_its_parts_in_a_folder(tmp_path: Path) -> None:
    stale = tmp_path / "demo" / "old.js"
    stale.parent.mkdir()
    stale.touch()
    write_page(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == (PAGE / "index.html").read_bytes()
    parts = {file.name for file in PAGE.iterdir()} - {"index.html"}
    assert {file.name for file in (tmp_path / "demo").iterdir()} == parts
