"""The bundles that a site gets from the modules of `web/`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twinvec import TwinvecError
from twinvec.site.build import WEB
from twinvec.site.scripts import DOORS, WORKERS, write_scripts

STATIC_IMPORT = re.compile(r'^import .*from "(.+)";$|^import "(.+)";$', re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_scripts(folder, WEB)
    return folder


def imports_of(script: Path) -> list[str]:
    return [
        path for match in STATIC_IMPORT.findall(script.read_text("utf-8")) for path in match if path
    ]


def test_only_the_search_box_imports_another_script(site: Path) -> None:
    """Both doors then share one copy of the API, and a worker starts with one request."""
    imports = {name: imports_of(site / name) for name in (*DOORS, *WORKERS)}
    assert imports.pop("twinvec-search.js") == ["./twinvec.js"]
    assert all(paths == [] for paths in imports.values())
    assert "class SearchIndex" not in (site / "twinvec-search.js").read_text(encoding="utf-8")


def test_nothing_else_is_written(site: Path) -> None:
    files = {file.relative_to(site).as_posix() for file in site.rglob("*") if file.is_file()}
    assert files == {*DOORS, *WORKERS}


def test_the_same_sources_give_the_same_scripts(site: Path, tmp_path: Path) -> None:
    write_scripts(tmp_path, WEB)
    for name in (*DOORS, *WORKERS):
        assert (tmp_path / name).read_bytes() == (site / name).read_bytes()


def test_a_relative_path_lies_below_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("site").mkdir()
    write_scripts(Path("site"), WEB)
    assert all((tmp_path / "site" / name).is_file() for name in (*DOORS, *WORKERS))


def test_unchanged_scripts_stay_untouched(site: Path) -> None:
    before = [(site / name).stat().st_mtime_ns for name in DOORS]
    write_scripts(site, WEB)
    assert [(site / name).stat().st_mtime_ns for name in DOORS] == before


def test_without_esbuild_the_error_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(TwinvecError, match=r"esbuild is missing; run `npm ci"):
        write_scripts(tmp_path / "out", tmp_path)
