"""Set up, build, serve, check and test twinvec. Needs Python 3.11 or newer, Node and npm.

This file needs the standard library only. It creates `.venv`, installs the packages of Python and
npm, and then calls the `twinvec` command and the tools installed there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent
PYPROJECT = ROOT / "pyproject.toml"
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
WEB = ROOT / "web"
DIST = ROOT / "dist"
SBOM = ROOT / "sbom"
BENCH = ROOT / "tests" / "bench"
TSC_PROJECTS = ("tsconfig.page.json", "tsconfig.worker.json")
PRETTIER_FILES = ("web/**/*.{js,mjs,css,html,json}", "tests/**/*.{js,html}")

FIND_BROWSER = """
from pathlib import Path
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(Path(playwright.chromium.executable_path).is_file())
"""

FIND_ENGINES = """
from twinvec.certify.engines import ENGINES, missing_part
for reason in filter(None, map(missing_part, ENGINES)):
    print(reason)
"""
CERTIFIED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
CERTIFIED_DTYPES = ("fp32", "w16", "w8", "w8a8", "q8")
README_COLUMNS = 7
ENGINE_PACKAGES = (
    *("chromium", "chromium-driver", "firefox-esr"),
    *("webkit2gtk-driver", "gir1.2-webkit2-4.1", "python3-gi", "xvfb"),
)


def main() -> None:
    """Parse the command line and run one verb."""
    parser = make_parser()
    options, passed_on = parser.parse_known_args()
    if passed_on and options.verb not in ("test", "bench"):
        parser.error(f"unknown arguments: {' '.join(passed_on)}")
    if options.verb == "certify" and options.quick and options.update_readme:
        parser.error("the README's figures are those of the long form; leave out --quick")
    set_up()
    if options.verb is None:
        build()
        say(f"To look at it: {Path(sys.executable).name} build.py serve")
    elif options.verb == "serve":
        serve(options.port, isolated=options.isolated)
    elif options.verb == "test":
        test(passed_on)
    elif options.verb == "bench":
        bench(passed_on)
    elif options.verb == "certify":
        certify(quick=options.quick, update=options.update_readme)
    elif options.verb == "check":
        check()
    elif options.verb == "sbom":
        sbom()


def make_parser() -> argparse.ArgumentParser:
    """Describe the verbs and their options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", metavar="verb (none: set up and build dist/)")
    serving = verbs.add_parser("serve", help="serve dist/ on this computer")
    serving.add_argument("--port", type=int, default=8000, help="0 for any free one")
    serving.add_argument(
        "--isolated", action="store_true", help="send COOP and COEP (cross-origin isolation)"
    )
    verbs.add_parser("test", help="build and run all tests; further arguments go to pytest")
    verbs.add_parser("bench", help="measure speed and memory; --quick, --json FILE")
    certifying = verbs.add_parser(
        "certify", help="compare browser engines with CPython; writes dist/certificate.html"
    )
    certifying.add_argument("--quick", action="store_true", help="minutes, not hours")
    certifying.add_argument(
        "--update-readme", action="store_true", help="write the figures into README.md"
    )
    verbs.add_parser("check", help="format, lint, types and the fast tests")
    verbs.add_parser("sbom", help="write bills of materials into sbom/ (CycloneDX JSON)")
    return parser


def set_up() -> None:
    """Create `.venv` and install the packages of Python and npm, where they are out of date."""
    if sys.version_info < (3, 11):
        fail(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}")
    # The scripts in it and the editable install contain this folder's path, which may have changed.
    with step_once(VENV / "made", f"{sys.version} {ROOT}") as needed:
        if needed:
            say("Creating .venv ...")
            venv.create(VENV, with_pip=True, clear=True, symlinks=os.name != "nt")
    with step_once(VENV / "installed", PYPROJECT.read_text("utf-8")) as needed:
        if needed:
            say("Installing the Python packages into .venv ...")
            run(BIN / "python", "-m", "pip", "install", "-e", f"{ROOT}[dev]")
    lock = (WEB / "package-lock.json").read_text("utf-8")
    with step_once(WEB / "node_modules" / "installed", lock) as needed:
        if needed:
            say("Installing the npm packages into web/node_modules ...")
            run(npm(), "ci", "--ignore-scripts", cwd=WEB)


@contextmanager
def step_once(stamp: Path, source: str) -> Iterator[bool]:
    """Yield True if a step was not yet done for this source, and write its stamp afterwards.

    Args:
        stamp: file that records the source of the last time.
        source: text that the step's result depends on.
    """
    key = hashlib.sha256(source.encode()).hexdigest()
    yield not stamp.is_file() or stamp.read_text(encoding="utf-8") != key
    stamp.write_text(key, encoding="utf-8")  # not reached if the step fails


def build() -> None:
    """Write the site into dist/, then the demo: its page and its index."""
    run(BIN / "twinvec", "site", DIST, "--dtype", "fp32", "--dtype", "w8")
    run(BIN / "python", "-m", "demo", DIST)


def serve(port: int, *, isolated: bool) -> None:
    """Serve dist/ until interrupted."""
    if not (DIST / "index.html").is_file():
        build()
    # Replaced, not wrapped: Ctrl+C and signals reach the server itself.
    arguments = ["serve", str(DIST), "--port", str(port), *(["--isolated"] if isolated else [])]
    os.execv(BIN / "twinvec", [str(BIN / "twinvec"), *arguments])


def test(arguments: Sequence[str]) -> None:
    """Build dist/ and run the tests.

    Args:
        arguments: passed on to pytest.
    """
    build()
    install_browser()
    install_engines()
    run(BIN / "python", "-m", "pytest", *arguments)


def bench(arguments: Sequence[str]) -> None:
    """Build dist/ and run the benchmark.

    Args:
        arguments: passed on to the benchmark.
    """
    build()
    install_browser()
    install_peers()
    run(BIN / "python", BENCH / "run.py", *arguments)


def certify(*, quick: bool, update: bool) -> None:
    """Build dist/ and make the certificate of the embedded model.

    Args:
        quick: fewer texts, strings and conditions.
        update: write the figures into README.md.
    """
    build()
    install_browser()
    install_engines()
    dtypes = [argument for dtype in CERTIFIED_DTYPES for argument in ("--dtype", dtype)]
    files: list[str | Path] = [
        "--json",
        DIST / "certificate.json",
        "--html",
        DIST / "certificate.html",
    ]
    form = ["--quick"] if quick else []
    run(BIN / "twinvec", "certify", CERTIFIED_MODEL, *dtypes, *files, *form)
    if update:
        certificate = json.loads((DIST / "certificate.json").read_text("utf-8"))
        text = (ROOT / "README.md").read_text("utf-8")
        (ROOT / "README.md").write_text(with_figures(text, certificate), "utf-8")


def with_figures(readme: str, certificate: dict[str, Any]) -> str:
    """Return the README with the figures of a certificate in its table of dtypes."""
    lines = readme.splitlines(keepends=True)
    for number, line in enumerate(lines):
        cells = line.strip("| \n").split(" | ")
        row = certificate["dtypes"].get(cells[0].strip("`"))
        if row and line.startswith("| `") and len(cells) == README_COLUMNS:
            figures = [f"{row['cosine_to_fp32']:.7f}", f"{row['max_delta']:.1e}"]
            cells[2:] = [row["parity"], f"{row['bytes'] / 1e6:.1f} MB", *figures]
            cells.append(f"{row['same_top_10']:.0%}")
            lines[number] = f"| {' | '.join(cells)} |\n"
    return "".join(lines)


def check() -> None:
    """Run all checks that need no browser."""
    build()
    run(BIN / "ruff", "format", "--check", ".")
    run(BIN / "ruff", "check", ".")
    run(BIN / "mypy")
    check_javascript()
    run(BIN / "python", "-m", "pytest", "-q", "-m", "not browser and not soak")


def check_javascript() -> None:
    """Run the formatter, the linter and the type checker of the JavaScript sources."""
    run(npm_tool("prettier"), "--config", WEB / ".prettierrc.json", "--check", *PRETTIER_FILES)
    run(npm_tool("eslint"), "--config", WEB / "eslint.config.js", "web", "tests")
    for project in TSC_PROJECTS:
        run(npm_tool("tsc"), "-p", WEB / project)


def sbom() -> None:
    """Write bills of materials: of dist/, and of the Python packages that built it."""
    if not (DIST / "manifest.json").is_file():
        build()
    SBOM.mkdir(exist_ok=True)
    run(BIN / "python", "-m", "twinvec.site.sbom", DIST, SBOM / "site.cdx.json")
    cyclonedx = ("environment", "--output-reproducible", "--pyproject", PYPROJECT)
    run(BIN / "cyclonedx-py", *cyclonedx, "--output-file", SBOM / "build.cdx.json", VENV)


def install_peers() -> None:
    """Install the packages that the benchmark compares twinvec with."""
    with step_once(VENV / "peers", PYPROJECT.read_text("utf-8")) as needed:
        if needed:
            say("Installing the benchmark's Python peers into .venv ...")
            run(BIN / "python", "-m", "pip", "install", "-e", f"{ROOT}[dev,bench]")
    lock = (BENCH / "peers" / "package-lock.json").read_text("utf-8")
    with step_once(BENCH / "peers" / "node_modules" / "installed", lock) as needed:
        if needed:
            say("Installing the benchmark's npm peers into tests/bench/peers/node_modules ...")
            run(npm(), "ci", "--ignore-scripts", cwd=BENCH / "peers")


def install_browser() -> None:
    """Find a Chromium, or install one: Playwright's own, else Debian's through apt."""
    search = subprocess.run(
        [BIN / "python", "-c", FIND_BROWSER], capture_output=True, text=True, check=True
    )
    if search.stdout.strip() == "True" or shutil.which("chromium"):
        return
    say("Installing a browser for the tests ...")
    # Only root can install the libraries that it needs without a password.
    dependencies = ["--with-deps"] if is_root() else []
    if attempt(BIN / "python", "-m", "playwright", "install", *dependencies, "chromium"):
        return
    say("Playwright's own download failed.")
    if is_root() and shutil.which("apt-get"):
        say("Installing Debian's chromium ...")
        if attempt("apt-get", "update") and attempt("apt-get", "install", "-y", "chromium"):
            return
    fail(
        "the tests need Chromium, and none could be installed. Either run "
        f"`{BIN / 'python'} -m playwright install --with-deps chromium` where its download is "
        "reachable, or install your system's `chromium` package (Debian: `apt-get install "
        "chromium` as root)"
    )


def install_engines() -> None:
    """Install Debian's browser engines and their drivers, where root runs this and apt is there.

    Elsewhere the tests of a missing engine are skipped.
    """
    missing = missing_engines()
    if missing and is_root() and shutil.which("apt-get"):
        say("Installing browser engines for the tests ...")
        if attempt("apt-get", "update"):
            attempt("apt-get", "install", "-y", "--no-install-recommends", *ENGINE_PACKAGES)
        missing = missing_engines()
    for reason in missing:
        say(f"Skipping an engine: {reason}")


def missing_engines() -> list[str]:
    """List the reasons why engines cannot run here."""
    search = subprocess.run(
        [BIN / "python", "-c", FIND_ENGINES], capture_output=True, text=True, check=True
    )
    return search.stdout.splitlines()


def is_root() -> bool:
    """Check if this process may install packages of the system."""
    return os.name == "posix" and os.geteuid() == 0


def npm() -> str:
    """Find npm."""
    return shutil.which("npm") or fail(
        "npm is needed and not on the PATH; install Node.js, which brings it"
    )


def npm_tool(name: str) -> str:
    """Find a tool that npm installed into `web/node_modules`."""
    folder = WEB / "node_modules" / ".bin"
    return shutil.which(name, path=folder) or fail(f"{name} is missing in {folder}")


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command; if it fails, exit with its status."""
    status = subprocess.run(command, cwd=cwd, check=False).returncode
    if status:
        say(f"failed: {' '.join(map(str, command))}")
        sys.exit(status)


def attempt(*command: str | Path) -> bool:
    """Run a command that may fail; return True if it succeeds."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def say(message: str) -> None:
    """Print a line before the output of the next command."""
    print(message, flush=True)


def fail(message: str) -> NoReturn:
    """Exit with an error."""
    sys.exit(f"error: {message}")


if __name__ == "__main__":
    main()
