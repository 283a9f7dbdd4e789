"""An index whose texts were encoded on a cluster has the same bytes as one encoded here.

Tests that need Ray are skipped where it is not installed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from synthetic import write_tiny
from twinvec import Embedder
from twinvec.cli import main
from twinvec.convert.folder import convert_folder
from twinvec.errors import ClusterError
from twinvec.index import Document, Index
from twinvec.index.writing.update import BATCH_DOCUMENTS, Written, write_index

if TYPE_CHECKING:
    from twinvec.index.writing.ray_engine import RayEngine
    from twinvec.index.writing.update import Engine

pytestmark = pytest.mark.filterwarnings(  # from Ray itself
    "ignore:`use_.*` is deprecated:DeprecationWarning"
)
needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: pip install 'twinvec[ray]'"
)
TEXTS = [f"word{n % 17} word{n % 5} word{n % 3}" for n in range(700)]  # 255 distinct ones
TEXTS[300] = "word1 \ud800"
EMBEDDED = sum(
    len(set(TEXTS[at : at + BATCH_DOCUMENTS])) for at in range(0, len(TEXTS), BATCH_DOCUMENTS)
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    return str(convert_folder(write_tiny(folder / "tiny"), folder / "onnx-tiny", ["fp32"]))


@pytest.fixture(scope="module")
def embedder(model: str) -> Embedder:
    return Embedder.from_pretrained(model)


@pytest.fixture
def local(tmp_path: Path, embedder: Embedder) -> dict[str, bytes]:
    """Files of an index written without an engine."""
    assert write(tmp_path / "local", embedder).embedded == EMBEDDED
    return content(tmp_path / "local")


def write(
    folder: Path, embedder: Embedder, engine: Engine | None = None, texts: Iterable[str] = TEXTS
) -> Written:
    documents = (Document(str(n), text, {"source": "a"}) for n, text in enumerate(texts))
    return write_index(documents, folder, embedder, engine=engine)


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["index", *arguments])


def test_options_of_ray_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    arguments = (str(tmp_path / "a.txt"), "-o", str(tmp_path / "out"))
    assert "are for --engine ray" in run(*arguments, "--workers", "2").stderr
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "twinvec.index.writing.ray_engine", raising=False)
    answer = run(*arguments, "--engine", "ray")
    assert answer.exit_code == 1
    assert "--engine ray needs Ray Data: pip install 'twinvec[ray]'" in answer.stderr


def on_ray(open_embedder: Callable[[], Embedder], embedder: Embedder, **options: Any) -> RayEngine:
    from twinvec.index.writing.ray_engine import RayEngine

    return RayEngine(open_embedder, embedder.fingerprint, workers=2, **options)


@needs_ray
def test_the_command_writes_the_same_index(tmp_path: Path, model: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.jsonl").write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8"
    )
    (docs / "b.md").write_text("# word1\n\nword2\n\n## word3\n\nword4\n", encoding="utf-8")
    (docs / "c.txt").write_text("word5 word6\n\nword7\n", encoding="utf-8")
    for out, options in {"local": [], "ray": ["--engine", "ray", "--workers", "2"]}.items():
        answer = run(str(docs), "-o", str(tmp_path / out), "--model", model, *options)
        assert answer.exit_code == 0, answer.output
        assert f"{EMBEDDED + 3} embedded" in answer.stdout
    assert content(tmp_path / "ray") == content(tmp_path / "local")
    assert len(Index.load(tmp_path / "ray")) == len(TEXTS) + 3


@needs_ray
def test_a_killed_worker_neither_loses_nor_repeats_a_text(
    tmp_path: Path,
    model: str,
    embedder: Embedder,
    local: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    sentinel = tmp_path / "killed"

    class Dying(Embedder):
        """Ends its process at a certain text, the first time."""

        def encode_document(self, texts: Any, **options: Any) -> Any:
            if texts == [TEXTS[300]] and not sentinel.exists():
                sentinel.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().encode_document(texts, **options)

    with on_ray(lambda: Dying.from_pretrained(model), embedder) as engine:
        assert write(tmp_path / "index", embedder, engine).embedded == EMBEDDED
    assert sentinel.exists()
    assert capsys.readouterr().out == ""  # a report in JSON goes there
    assert content(tmp_path / "index") == local


@needs_ray
def test_a_worker_without_the_model_is_an_error_with_advice(
    tmp_path: Path, model: str, embedder: Embedder
) -> None:
    nowhere = str(tmp_path / "nowhere")
    with (
        on_ray(partial(Embedder.from_pretrained, nowhere), embedder) as engine,
        pytest.raises(ClusterError) as caught,
    ):
        write(tmp_path / "index", embedder, engine)
    assert "cannot open the model: ModelNotFoundError: " in str(caught.value)
    assert "a folder that all machines see under the same path" in str(caught.value)
    shorter = partial(Embedder.from_pretrained, model, max_length=4)
    with (
        on_ray(shorter, embedder) as engine,
        pytest.raises(ClusterError, match="its model differs in max_length"),
    ):
        write(tmp_path / "index", embedder, engine)


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "auto"])
def test_a_missing_cluster_is_an_error(embedder: Embedder, address: str) -> None:
    with (
        pytest.raises(ClusterError, match=r"no Ray cluster at .* `ray start --head`"),
        on_ray(lambda: embedder, embedder, address=address),
    ):
        pass
