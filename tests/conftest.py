"""Fixtures: the model of `dist/`, opened on CPython and in a page."""

from __future__ import annotations

import asyncio
import json
import os
import runpy
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from synthetic import write_tiny
from twinvec import Embedder
from twinvec.certify.engines import CHROMIUM_FLAGS, ENGINES, Engine, missing_part
from twinvec.convert.folder import convert_folder
from twinvec.site.build import build_site
from twinvec.site.serve import make_server, running

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
CASES = ROOT / "tests" / "contract" / "cases.py"
SUB_PATH = "docs/search"

expect.set_options(timeout=120_000)  # milliseconds, for a machine under load

PAGES = ROOT / "tests" / "browser" / "pages"
TEST_PAGE = (PAGES / "test.html").read_text(encoding="utf-8")
WORKER_HOOK = (PAGES / "hook.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], playwright: Playwright
) -> dict[str, Any]:
    """Add the flags that containers need."""
    return {**browser_type_launch_args, **launch_options(playwright)}


def launch_options(playwright: Playwright) -> dict[str, Any]:
    """Return options for Playwright's own Chromium, or for the system's if that is missing."""
    arguments = [*CHROMIUM_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    own = Path(playwright.chromium.executable_path).is_file()
    executable = {} if own else {"executable_path": shutil.which("chromium")}
    return {**executable, "args": arguments}


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where the system has one: thousands of syncs take minutes on a disk."""
    memory = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)
    with tempfile.TemporaryDirectory(
        dir=memory if os.access(memory, os.W_OK) else tmp_path
    ) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """The first model of the site in `dist/`."""
    file = DIST / "models" / "manifest.json"
    assert file.is_file(), "dist/ is not built; run: python build.py"
    models: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["models"]
    return models[0]


@pytest.fixture(scope="session")
def embedder(manifest: dict[str, Any]) -> Iterator[Embedder]:
    """The same model as the site's, on CPython."""
    opened = Embedder.from_pretrained(manifest["name"], local_files_only=True)
    yield opened
    opened.close()


def serving(folder: Path, *, isolated: bool = False) -> AbstractContextManager[str]:
    """Serve a folder; yield its address."""
    return running(make_server(folder, 0, isolated=isolated, follow_links=True))


def overlay(folder: Path, dist: Path = DIST, changed: Mapping[str, str] | None = None) -> Path:
    """Make a site of links to a built one, in which some files have another text.

    Args:
        folder: where the site is made, below `SUB_PATH`.
        dist: the built site.
        changed: path in the site -> text.

    Returns:
        The folder to serve.
    """
    assert (dist / "twinvec.js").is_file(), "dist/ is not built; run: python build.py"
    site = folder / SUB_PATH
    link_folder(dist, site)
    for path, text in (changed or {}).items():
        for parent in reversed((site / path).relative_to(site).parents[:-1]):
            if (site / parent).is_symlink():
                (site / parent).unlink()
                link_folder(dist / parent, site / parent)
        (site / path).unlink(missing_ok=True)
        (site / path).write_text(text, encoding="utf-8")
    return folder


def link_folder(source: Path, target: Path) -> None:
    """Make a folder of links to the files and folders of another one."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        (target / file.name).symlink_to(file)


def hooked_worker(dist: Path = DIST) -> dict[str, str]:
    """Return the files of `overlay` that let tests run code in the worker."""
    worker = (dist / "workers" / "python.js").read_text(encoding="utf-8")
    return {"test.html": TEST_PAGE, "workers/python.js": worker + WORKER_HOOK}


@contextmanager
def serving_tests(folder: Path, dist: Path = DIST) -> Iterator[str]:
    """Serve a built site below a sub-path, with the files of `hooked_worker`."""
    with serving(overlay(folder, dist, hooked_worker(dist))) as address:
        yield f"{address}{SUB_PATH}/"


@pytest.fixture(scope="session")
def test_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site that `build.py` built."""
    with serving_tests(tmp_path_factory.mktemp("site")) as address:
        yield address


@pytest.fixture(scope="session")
def tiny_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of a tiny model, whose words are `word1` to `word49`."""
    folder = tmp_path_factory.mktemp("tiny")
    model = convert_folder(write_tiny(folder / "source"), folder / "tiny", ["fp32", "w8"])
    build_site(folder / "site", model, dtypes=["fp32", "w8"])[0].close()
    return folder / "site"


@dataclass
class Tab:
    """A page in which a model is open, and the Python in its worker."""

    page: Page
    requests: list[str] = field(default_factory=list)

    def encode(self, texts: list[str], pooling: str = "mean", *, normalize: bool = True) -> Any:
        """Embed through the public JavaScript API; return dims, and base64 of float32 bytes."""
        options = {"pooling": pooling, "normalize": normalize}
        dims, data = self.page.evaluate(
            "([texts, options]) => encode(texts, options)", [json.dumps(texts), options]
        )
        return dims, data

    def javascript(self, source: str, payload: Any = None) -> Any:
        """Run the body of an async function of `pyodide` and `payload` in the worker."""
        return self.page.evaluate("([s, p]) => inWorker(s, p)", [source, payload])

    def python(self, source: str, **payload: Any) -> Any:
        """Run Python in the worker with `payload` as globals; return the result of `body()`."""
        answer = self.page.evaluate("([s, p]) => runPython(s, p)", [source, payload])
        return json.loads(answer)


def open_tab(browser: Browser, address: str, query: str = "") -> Tab:
    """Open the test page and wait for its pipeline."""
    page = browser.new_context().new_page()
    tab = Tab(page)
    page.context.on("request", lambda request: tab.requests.append(request.url))
    page.goto(f"{address}test.html{query}")
    page.evaluate("opened")
    return tab


@pytest.fixture(scope="session")
def tab(browser: Browser, test_site: str) -> Iterator[Tab]:
    """Boot the page once for all tests."""
    opened = open_tab(browser, test_site)
    yield opened
    opened.page.context.close()


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.browser) for name in ENGINES]
)
def engine_name(request: pytest.FixtureRequest) -> str:
    """The name of each browser engine in turn; skipped where it is not installed."""
    if reason := missing_part(request.param):
        pytest.skip(reason)
    return str(request.param)


@pytest.fixture(scope="module")
def engine(engine_name: str) -> Iterator[Engine]:
    """Each browser engine in turn, with a profile of its own."""
    with Engine(engine_name) as opened:
        yield opened


Case = Callable[[str], None]


@pytest.fixture(params=["cpython", pytest.param("browser", marks=pytest.mark.browser)])
def runtime(request: pytest.FixtureRequest) -> Case:
    """Run a contract case, by its name in `contract/cases.py`, on one runtime."""
    if request.param == "cpython":
        embedder: Embedder = request.getfixturevalue("embedder")
        return lambda name: _run_natively(name, embedder)
    tab: Tab = request.getfixturevalue("tab")
    source = CASES.read_text(encoding="utf-8")
    call = "\nasync def body():\n    await {}(Embedder.from_pretrained())"
    return lambda name: tab.python(source + call.format(name))


def _run_natively(name: str, embedder: Embedder) -> None:
    finish(runpy.run_path(str(CASES))[name](embedder))


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in another thread: Playwright keeps an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
