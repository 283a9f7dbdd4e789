"""The floor plan: imports run one way, modules have tests, functions and files stay short."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from conftest import ROOT

PACKAGE = ROOT / "py" / "twinvec"
MODULES = {
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PACKAGE.rglob("*.py"))
}
SOURCES = [*sorted((ROOT / "py").rglob("*.py")), ROOT / "build.py"]

# A package may import those that follow it, and nothing else.
FLOORS = [
    *("cli", "page", "certify", "site", "documents", "index", "embedder", "catalog", "convert"),
    *("model", "encoding", "runtime", "download", "files", "errors"),
]
MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 350

TESTED_ELSEWHERE = {
    "certify.webkit_browser": "needs the system's Python: tests/browser/engines",
    "index.stores.browser": "needs a page: tests/contract and tests/browser/test_search.py",
}


def imports(file: Path) -> Iterator[str]:
    """Yield the modules of this package that a file imports, those inside functions included."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else node.module


def floor(module: str) -> int:
    return FLOORS.index(module.split(".")[1])


@pytest.mark.parametrize("module", [name for name in MODULES if "." in name])
def test_imports_run_down(module: str) -> None:
    imported = [name for name in imports(MODULES[module]) if "." in name]
    assert "twinvec" not in imports(MODULES[module])
    upward = [
        name
        for name in imported
        if floor(name) < floor(module)
        or (floor(name) == floor(module) and name.split(".")[1] != module.split(".")[1])
    ]
    assert upward == []


def test_no_module_imports_itself_through_others() -> None:
    TopologicalSorter({name: set(imports(file)) for name, file in MODULES.items()}).prepare()


def test_few_modules_lie_outside_of_packages() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 4  # `__init__` and three more


@pytest.mark.parametrize(
    "module", [name for name, file in MODULES.items() if "__" not in file.name]
)
def test_every_module_has_a_test_file(module: str) -> None:
    path = MODULES[module].relative_to(PACKAGE)
    test = ROOT / "tests" / "unit" / path.with_name(f"test_{path.name}")
    reason = TESTED_ELSEWHERE.get(module.removeprefix("twinvec."))
    assert test.is_file() != bool(reason), f"{test} is missing, or no longer needs a reason"


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_functions_and_files_are_short(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{node.name} has {lines} lines"


def test_progress_bars_belong_to_the_command_line() -> None:
    importers = {
        name
        for name, file in MODULES.items()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for imported in ([node.module] if isinstance(node, ast.ImportFrom) else node.names)
        if str(getattr(imported, "name", imported)).split(".")[0] in ("tqdm", "click")
        and not name.startswith("twinvec.cli")
    }
    assert importers == set()
