"""Every command and snippet of the README and of docs/ runs, and every link leads somewhere."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from playwright.sync_api import Browser, ConsoleMessage, expect

from conftest import ROOT, overlay, serving
from synthetic import write_tiny
from twinvec import Index

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str, *pages: Path) -> list[str]:
    texts = [page.read_text(encoding="utf-8") for page in pages or PAGES]
    pattern = re.compile(rf"```{language}\n(.*?)```", flags=re.DOTALL)
    return [block for text in texts for block in pattern.findall(text)]


def commands() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return list(dict.fromkeys(line.partition("#")[0].strip() for line in lines if line))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(((?!https?:)[^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
        anchors = {
            re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings
        }
        assert not anchor or anchor in anchors, link


def build_py(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "build.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run_command(line: str, folder: Path, *more: str) -> str:
    program, *arguments = shlex.split(line)
    command = [str(Path(sys.executable).with_name(program)), *arguments, *more]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_commands_are_those_that_are_run_here() -> None:
    assert commands() == [
        "python build.py",
        "python build.py test",
        'twinvec index _site -o search-index --include "*.html" --url-prefix / --dtype w8',
        "twinvec site _site/search --index search-index",
        "twinvec serve _site",
        (
            "twinvec certify --site _site/search --quick --html certificate.html "
            "--json certificate.json"
        ),
        "twinvec certify --site _site/search --page",
        "python build.py check",
        "python build.py certify --quick",
        "python build.py bench",
        "python build.py sbom",
        "python build.py test -k parity",
        "twinvec models",
        "twinvec embed texts.txt --out vectors.npy",
        "twinvec convert model onnx-model",
        "twinvec verify onnx-model",
        "twinvec site public --dtype w8",
        "ray start --head",
        "ray start --address head:6379",
        "twinvec index _site -o search-index --engine ray --address head:6379",
        'twinvec search search-index "how do I install it?" -k 3',
        "twinvec verify _site/search",
    ]
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "python build.py test\n" in run


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the inputs of the commands, in which all of them were run in order."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "texts.txt").write_text("Hello world.\nI love pandas!\n", encoding="utf-8")
    write_tiny(folder / "model")
    (html,) = blocks("html", README)
    guide = folder / "_site" / "guide"
    guide.mkdir(parents=True)
    (guide / "zoo.html").write_text("<h1 id=zoo>Zoo</h1><p>Open from nine.</p>", encoding="utf-8")
    (guide / "setup.html").write_text(
        f"<!doctype html>{html}<h1>Guide</h1><h2 id=setup>Setup</h2><p>Run pip first.</p>", "utf-8"
    )
    for line in commands():
        # tests/unit/index/writing/test_ray_engine.py needs Ray; a server does not end; and
        # tests/browser/engines runs the engines.
        if line.startswith("twinvec ") and not {"ray", "serve", "--quick"} & set(line.split()):
            run_command(line, folder)
    return folder


def test_the_twinvec_commands_run(project: Path) -> None:
    assert np.load(project / "vectors.npy").shape == (2, 384)
    assert len(Index.load(project / "search-index")) == 2
    assert (project / "public" / "twinvec-search.js").is_file()


def test_what_twinvec_put_into_a_site_is_not_indexed(project: Path) -> None:
    assert (project / "_site" / "search" / "twinvec-search.js").is_file()
    line = next(line for line in commands() if line.startswith("twinvec index _site"))
    report = json.loads(run_command(line, project, "--json"))
    assert [report[key] for key in ("passages", "embedded", "problems")] == [2, 0, []]


@pytest.mark.browser
def test_the_search_box_finds_the_pages_of_a_site(browser: Browser, project: Path) -> None:
    with serving(project / "_site") as address:
        page = browser.new_context().new_page()
        page.goto(f"{address}guide/setup.html")
        page.get_by_role("combobox").fill("how do I install it?")
        first = page.get_by_role("option").first
        expect(first).to_contain_text("Run pip first.")
        expect(first).to_have_attribute("href", f"{address}guide/setup.html#setup")
        page.context.close()


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


def test_the_bills_of_materials_are_valid() -> None:
    assert build_py("sbom").returncode == 0
    for name, component in {"site": "pyodide", "build": "onnxruntime"}.items():
        text = (ROOT / "sbom" / f"{name}.cdx.json").read_text(encoding="utf-8")
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        assert component in {entry["name"] for entry in json.loads(text)["components"]}


def test_help_names_every_verb() -> None:
    answer = build_py("--help")
    for verb in ("serve", "test", "bench", "check", "sbom"):
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


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which Python's snippets were run, and what they printed."""
    folder = tmp_path_factory.mktemp("snippets")
    (folder / "dist").mkdir()
    (folder / "snippets.py").write_text("\n".join(blocks("python")), encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "snippets.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return folder, answer.stdout


def test_the_python_snippets_run(python: tuple[Path, str]) -> None:
    folder, printed = python
    assert "[[0.71 0.11]]" in printed
    assert "\nsecond\n" in printed
    assert "text='I love pandas so much!'" in printed
    assert "(3, 384) Hello world." in printed
    assert len(Index.load(folder / "dist" / "index")) == 3


def run_javascript(
    browser: Browser, folder: Path, snippet: str, count: int, expected: str = ""
) -> Any:
    """Run a snippet in a module of a page beside the built site; what it writes to the console."""
    html = f'<link rel="icon" href="data:,"><script type="module">{snippet}</script>'
    pages = {"snippet.html": html, "expected.json": expected}
    with serving(overlay(folder, changed=pages)) as address:
        page = browser.new_context().new_page()
        messages: list[ConsoleMessage] = []
        page.on("console", lambda message: messages.append(message))  # noqa: PLW0108 (needs a function)
        with page.expect_console_message(lambda _: len(messages) == count, timeout=120_000):
            page.goto(f"{address}docs/search/snippet.html")
        values = [message.args[0].json_value() for message in messages]
        page.context.close()
    return values


@pytest.mark.browser
def test_the_vectors_in_the_page_are_those_of_the_python_snippet(
    browser: Browser, tmp_path: Path, python: tuple[Path, str]
) -> None:
    expected = (python[0] / "dist" / "expected.json").read_text(encoding="utf-8")
    (snippet,) = blocks("js", README)
    (difference,) = run_javascript(browser, tmp_path, snippet, 1, expected)
    assert 0 < difference < 5e-7


@pytest.mark.browser
def test_the_snippet_for_the_page_runs(browser: Browser, tmp_path: Path) -> None:
    (snippet,) = blocks("js", ROOT / "docs" / "in-the-page.md")
    (panda, hello), (hit,) = run_javascript(browser, tmp_path, snippet, 2)
    assert panda > hello
    assert "panda" in hit["text"]
