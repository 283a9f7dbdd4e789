"""The quick certificate of the embedded model, by the command, in all engines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from command import twinvec
from conftest import ROOT
from twinvec.catalog.pins import EMBEDDED
from twinvec.certify import record
from twinvec.certify.engines import ENGINES, missing_part
from twinvec.site.build import build_site

pytestmark = pytest.mark.browser

ALL_ENGINES = ("fp32", "w8", "w8a8")
FIRST_ENGINE = ("w16", "q8")
"""They differ from the others in their weights only."""


@pytest.fixture(scope="module")
def engines() -> list[str]:
    names = [name for name in ENGINES if not missing_part(name)]
    if not names:
        pytest.skip("no browser engine is installed")
    return names


@pytest.fixture(scope="module")
def certificates(
    engines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """The certificate of most dtypes in all engines, and that of the others in one."""
    folder = tmp_path_factory.mktemp("certificate")
    dtypes = [*ALL_ENGINES, *FIRST_ENGINE]
    build_site(folder / "site", EMBEDDED.name, dtypes=dtypes)[0].close()
    return [
        certificate(folder, engines, ALL_ENGINES),
        certificate(folder, engines[:1], FIRST_ENGINE, "--strings", "0"),
    ]


def certificate(
    folder: Path, engines: list[str], dtypes: tuple[str, ...], *options: str
) -> dict[str, Any]:
    file = folder / "certificate.json"
    html = folder / "certificate.html"
    arguments: list[str | Path] = ["--site", folder / "site", "--engines", ",".join(engines)]
    arguments += [argument for dtype in dtypes for argument in ("--dtype", dtype)]
    arguments += ["--quick", "--json", file, "--html", html, *options]
    answer = twinvec("certify", *arguments)
    print(answer.output)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.splitlines()[-1].startswith("Same text, same vector: CPython, ")
    assert html.read_text(encoding="utf-8").count("<svg") == len(dtypes)
    report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return report


def test_all_engines_agree_with_cpython(
    certificates: list[dict[str, Any]], engines: list[str]
) -> None:
    report = certificates[0]
    assert report["failures"] == []
    assert {(run["engine"], run["dtype"]) for run in report["runs"]} == {
        (name, dtype) for name in engines for dtype in ALL_ENGINES
    }
    assert all(row["same_bits"] for row in report["dtypes"].values())
    assert report["dtypes"]["fp32"]["max_delta"] > 0  # it was another runtime
    assert report["dtypes"]["w8a8"]["max_delta"] == 0
    assert {tokens["engine"]: tokens["strings"] for tokens in report["tokens"]} == dict.fromkeys(
        engines, 20_000
    )


def test_conditions_are_real(certificates: list[dict[str, Any]]) -> None:
    runs = certificates[0]["runs"]
    assert {run["sessions"] for run in runs if not run["several_sessions"]} == {1}
    assert {run["sessions"] for run in runs if run["several_sessions"]} == {2}
    assert all(run["isolated"] == run["is_isolated"] for run in runs)
    assert any(run["isolated"] for run in runs)
    assert any(not run["jspi"] for run in runs)


def test_the_readme_has_these_figures(certificates: list[dict[str, Any]]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = {dtype: row for report in certificates for dtype, row in report["dtypes"].items()}
    table = {
        cells[0].strip("`"): cells
        for line in re.findall(r"^\| (`.*) \|$", text, re.MULTILINE)
        if len(cells := line.split(" | ")) == 7
    }
    assert set(table) == {*ALL_ENGINES, *FIRST_ENGINE}
    for dtype, row in rows.items():
        _, _, parity, size, cosine, delta, top_10 = table[dtype]
        exact = row["parity"] == "exact"
        assert (parity, size) == (row["parity"], f"{row['bytes'] / 1e6:.1f} MB")
        # The README's figures are of more texts. Measured: 0.4e-7 apart at most, q8 not at all.
        if row["cosine_to_fp32"] is not None:
            assert float(cosine) == pytest.approx(row["cosine_to_fp32"], abs=1e-5)
        assert float(delta) == pytest.approx(row["max_delta"], rel=0.25, abs=1e-7)
        assert (float(top_10.strip("%")) == 100) == exact == (row["same_top_10"] == 1)


def test_a_broken_class_fails(
    tiny_site: Path, engines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another runtime's float32 never is within this bound."""
    monkeypatch.setattr(record, "BOUND", 1e-12)
    model = tiny_site.parent / "tiny"  # a site of it is built first
    answer = twinvec("certify", model, "--engines", engines[0], "--quick", "--strings", "0")
    assert answer.exit_code == 1
    assert re.search(r"FAILED: \w+, fp32: vectors differ by .*; 1e-12 is allowed", answer.stderr)
