from __future__ import annotations

from pathlib import Path

from command import report_of, twinvec
from twinvec import Embedder, Index


def test_the_model_and_dtype_of_the_index_are_the_default(tiny: str, tmp_path: Path) -> None:
    embedder = Embedder.from_pretrained(tiny, dtype="w8a8")
    Index.build(["word1"], embedder).save(tmp_path / "index")
    embedder.close()
    arguments = (tmp_path / "site", "--index", tmp_path / "index", "--model", tiny, "--json")
    answer = twinvec("site", *arguments)
    assert answer.exit_code == 0, answer.output
    assert report_of(answer)["dtypes"] == ["w8a8"]
    assert len(Index.load(tmp_path / "site" / "index")) == 1


def test_the_sample_is_searched(tiny: str, tmp_path: Path) -> None:
    answer = twinvec("site", tmp_path / "site", "--model", tiny)
    assert answer.exit_code == 0, answer.output
    assert f"{tmp_path / 'site'} is ready: tiny (fp32), " in answer.stdout
    assert "\n  model " in answer.stdout
    assert "What is a panda?\n  " in answer.stdout
    assert answer.stdout.rstrip().count("\n  ") >= 3


def test_an_unknown_dtype_is_refused(tmp_path: Path) -> None:
    answer = twinvec("site", tmp_path / "site", "--dtype", "zz")
    assert answer.exit_code == 2
    assert "'zz' is not one of" in answer.stderr
    assert not (tmp_path / "site").exists()
