"""A site is served under the conditions of a run, and is not changed."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

import pytest

from twinvec.certify.record import NativeResults
from twinvec.certify.runs import Conditions, serve_run


def test_conditions_describe_themselves() -> None:
    assert str(Conditions()) == "one session"
    assert (
        str(Conditions(several_sessions=True, isolated=True, jspi=False))
        == "several sessions, isolated, without JSPI"
    )


@pytest.mark.parametrize("isolated", [False, True])
def test_a_site_is_served_with_the_page(
    site: Path, page_folder: Path, natives: list[NativeResults], tmp_path: Path, isolated: bool
) -> None:
    assert natives
    before = {file: file.stat().st_mtime_ns for file in site.rglob("*")}
    conditions = Conditions(several_sessions=True, isolated=isolated, jspi=False)
    with serve_run(site, page_folder, tmp_path, conditions) as address:
        with urlopen(address) as answer:
            assert b"Same text, same vector?" in answer.read()
            policy = answer.headers["Cross-Origin-Opener-Policy"]
            assert policy == ("same-origin" if isolated else None)
        root = address.partition("certify/")[0]
        with urlopen(f"{root}workers/python.js") as answer:
            script = answer.read().decode()
        with urlopen(f"{root}models/manifest.json") as answer:
            assert answer.status == 200
    assert script.startswith(conditions.worker_prefix)
    assert "delete WebAssembly.Suspending" in script
    assert {file: file.stat().st_mtime_ns for file in site.rglob("*")} == before
