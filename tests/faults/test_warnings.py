"""A warning names the line of the caller, not one of twinvec's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import finish
from synthetic import write_tiny
from twinvec import Embedder, Index, IndexWriter, ParityWarning, TruncationWarning
from twinvec.convert.folder import convert_folder

LONG = ["word1 " * 1000]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    return convert_folder(write_tiny(folder / "source"), folder / "tiny", ["fp32"])


def write(embedder: Embedder, folder: Path) -> None:
    fingerprint = {**embedder.fingerprint, "parity": "approximate"}
    with IndexWriter(folder, fingerprint, precision="float32", dim=embedder.info.dim):
        pass


def save(embedder: Embedder, folder: Path) -> None:
    fingerprint = {**embedder.fingerprint, "parity": "approximate"}
    Index(fingerprint, dim=embedder.info.dim).save(folder)


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize(
    ("warning", "call"),
    [
        (TruncationWarning, lambda embedder, _: embedder.encode(LONG)),
        (TruncationWarning, lambda embedder, _: embedder.encode_query(LONG[0])),
        (TruncationWarning, lambda embedder, _: embedder.encode_tokens(LONG)),
        (TruncationWarning, lambda embedder, _: Index.build(LONG, embedder)),
        (
            TruncationWarning,
            lambda embedder, _: Index.build([], embedder).search(LONG[0], embedder),
        ),
        (ParityWarning, write),
        (ParityWarning, save),
        (ParityWarning, lambda embedder, folder: save(embedder, folder.with_suffix(".zip"))),
    ],
)
def test_a_warning_names_the_caller(
    tiny: Path, tmp_path: Path, warning: type[Warning], call: Callable[[Embedder, Path], object]
) -> None:
    embedder = Embedder.from_pretrained(tiny)
    with pytest.warns(warning) as caught:
        call(embedder, tmp_path / "index")
    assert [record.filename for record in caught if record.category is warning] == [__file__]
    embedder.close()


@pytest.mark.filterwarnings("always")
def test_a_warning_names_the_caller_that_awaits(tiny: Path) -> None:
    embedder = Embedder.from_pretrained(tiny)

    async def wait() -> None:
        await embedder.aencode(LONG)

    with pytest.warns(TruncationWarning) as caught:
        finish(wait())
    assert caught[0].filename == __file__
    embedder.close()
