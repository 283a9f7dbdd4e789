"""Every command and snippet of the README runs."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage

from conftest import ROOT, overlay, serving
from synthetic import write_tiny
from twinvec import Index

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line.partition("#")[0].strip() for line in lines if line]


def build_py(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "build.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_commands_are_those_that_are_run_here() -> None:
    assert commands() == [
        "python build.py",
        "python build.py test",
        "twinvec index docs -o public/search --dtype w8",
        'twinvec search public/search "how do I install it?" -k 3',
        "ray start --head",
        "ray start --address head:6379",
        "twinvec index docs -o public/search --engine ray --address head:6379",
        "twinvec models",
        "twinvec embed texts.txt --out vectors.npy",
        "twinvec convert model onnx-model",
        "twinvec verify onnx-model",
        "twinvec site public --dtype w8",
        "python build.py check",
        "python build.py bench",
        "python build.py test -k parity",
    ]
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "python build.py test\n" in run


def test_the_twinvec_commands_run(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("Hello world.\nI love pandas!\n", encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "guide.md").write_text("# Install\n\nRun pip.\n", encoding="utf-8")
    write_tiny(tmp_path / "model")
    for line in commands():
        program, *arguments = shlex.split(line)
        if program == "twinvec" and "ray" not in arguments:  # tests/unit/test_ray_index.py does
            answer = subprocess.run(
                [Path(sys.executable).with_name(program), *arguments],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert answer.returncode == 0, answer.stderr
    assert np.load(tmp_path / "vectors.npy").shape == (2, 384)
    assert (tmp_path / "public" / "index.html").is_file()
    assert len(Index.load(tmp_path / "public" / "search")) == 1


def test_build_ranks_the_texts_and_says_how_to_serve() -> None:
    answer = build_py()
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    (question,) = [number for number, line in enumerate(lines) if line == "What is a panda?"]
    ranked = [line.split(maxsplit=1) for line in lines[question + 1 : question + 4]]
    assert [text.split()[:3] for _, text in ranked] == [
        ["The", "giant", "panda"],
        ["I", "love", "pandas"],
        ["Hello", "world."],
    ]
    scores = [float(score) for score, _ in ranked]
    assert scores == sorted(scores, reverse=True)
    assert lines[-1].endswith("build.py serve")


def test_build_indexes_the_standard_library_once() -> None:
    assert len(Index.load(ROOT / "dist" / "search")) > 4000
    assert "passages of the standard library, 0 embedded." in build_py().stdout


def test_a_second_build_writes_no_large_file_again() -> None:
    large = [file for file in (ROOT / "dist").rglob("*") if file.stat().st_size > 100_000]
    assert len(large) >= 6
    before = [file.stat().st_mtime_ns for file in large]
    assert build_py().returncode == 0
    assert [file.stat().st_mtime_ns for file in large] == before


@pytest.mark.parametrize("line", [line for line in commands() if " test" in line])
def test_the_test_command_collects(line: str) -> None:
    """Collecting only: running them from inside a run would never end."""
    answer = build_py(*shlex.split(line)[2:], "--collect-only", "-q")
    assert answer.returncode == 0, answer.stdout
    assert "test_parity.py::test_vectors_are_the_same" in answer.stdout


def test_help_names_every_verb() -> None:
    answer = build_py("--help")
    for verb in ("serve", "test", "bench", "check"):
        assert re.search(rf"^\s+{verb}\s+\w", answer.stdout, flags=re.MULTILINE)


@pytest.fixture
def server() -> Iterator[str]:
    """The address that `build.py serve` prints."""
    command = [sys.executable, str(ROOT / "build.py"), "serve", "--port", "0", "--isolated"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = (re.search(r"http://\S+", line) for line in process.stdout)
        address = next((match[0] for match in lines if match), None)
        assert address, "the server printed no address"
        yield address
        process.terminate()


def test_serve_serves(server: str) -> None:
    with urllib.request.urlopen(server) as response:
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "<title>twinvec" in response.read().decode()


def test_the_python_snippet_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "snippet.py").write_text("\n".join(blocks("python")), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that another model stands in for the default
        runpy.run_path(str(tmp_path / "snippet.py"))
    printed = capsys.readouterr().out
    assert "I love pandas so much!" in printed
    assert "(2, 384) Hello world." in printed
    assert len(Index.load(tmp_path / "dist" / "index")) == 2


@pytest.mark.browser
def test_the_javascript_snippet_runs(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (snippet,) = blocks("js")
    html = f'<link rel="icon" href="data:,"><script type="module">{snippet}</script>'
    folder = overlay(tmp_path_factory.mktemp("snippet"), snippet_html=html)
    with serving(folder) as address:
        page = browser.new_context().new_page()
        messages: list[ConsoleMessage] = []
        page.on("console", lambda message: messages.append(message))  # noqa: PLW0108 (needs a function)
        with page.expect_console_message(lambda _: len(messages) == 2, timeout=120_000):
            page.goto(f"{address}docs/search/snippet.html")
        (panda, hello), (hit,) = (message.args[0].json_value() for message in messages)
        assert panda > hello
        assert "panda" in hit["text"]
        page.context.close()
