from __future__ import annotations

from pathlib import Path

from command import report_of, twinvec
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import DEFAULT, EMBEDDED


def test_pinned_and_cached_models_are_listed(tmp_path: Path) -> None:
    find_model(EMBEDDED.name, dtype="fp32")
    weights = {(row["model"], row["dtype"]): row for row in report_of(twinvec("models", "--json"))}
    pinned = weights[DEFAULT.name, "q8"]
    assert (pinned["parity"], pinned["bytes"]) == ("approximate", 34_014_426)
    cached = weights[EMBEDDED.name, "fp32"]
    assert Path(cached["file"]).stat().st_size == cached["bytes"]
    assert f"{DEFAULT.name} (default), revision ea104dacec62" in twinvec("models").stdout
    uncached = twinvec("models", env={"TWINVEC_CACHE": str(tmp_path)})
    assert EMBEDDED.name in uncached.stdout
    assert "cached" not in uncached.stdout
