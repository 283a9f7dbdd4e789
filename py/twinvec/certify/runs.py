"""One run of a certificate: a dtype in a browser, under some conditions."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinvec.certify.page import FOLDER
from twinvec.certify.record import MODES, SEARCHES
from twinvec.site.serve import make_server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from twinvec.certify.engines import Engine
    from twinvec.certify.texts import Sample

CORES = 2
"""Cores, and so sessions, of a run with several sessions."""

SECONDS_PER_RUN = 1200

SEVERAL_CORES = f"""
Object.defineProperty(navigator, "hardwareConcurrency", {{ value: {CORES} }});
Object.defineProperty(navigator, "deviceMemory", {{ value: 32 }});
"""
ONE_CORE = 'Object.defineProperty(navigator, "hardwareConcurrency", { value: 1 });\n'
WITHOUT_JSPI = "delete WebAssembly.Suspending;\n"

MEASURE = 'async (request) => (await import("./measure.js")).measure(request)'

HAS_JSPI = '() => "Suspending" in WebAssembly'


@dataclass(frozen=True)
class Conditions:
    """Conditions in a page that must not change a vector."""

    several_sessions: bool = False
    isolated: bool = False
    """Cross-origin isolated, so that memory can be shared."""
    jspi: bool = True
    """With JavaScript Promise Integration, where the engine has it."""

    def __str__(self) -> str:
        """Describe them in a line."""
        return ", ".join(
            [
                "several sessions" if self.several_sessions else "one session",
                *(["isolated"] if self.isolated else []),
                *([] if self.jspi else ["without JSPI"]),
            ]
        )

    @property
    def worker_prefix(self) -> str:
        """JavaScript that makes them true in the worker in which Python runs."""
        cores = SEVERAL_CORES if self.several_sessions else ONE_CORE
        return cores + ("" if self.jspi else WITHOUT_JSPI)


@contextmanager
def serve_run(site: Path, page: Path, folder: Path, conditions: Conditions) -> Iterator[str]:
    """Serve a site with the page of a certificate, under conditions; yield the page's address.

    Args:
        site: folder of the site, which is not changed.
        page: folder of the page.
        folder: an empty folder, for links to both and the changed worker.
        conditions: in the page.
    """
    for path in site.iterdir():
        if path.name not in (FOLDER, "workers"):
            (folder / path.name).symlink_to(path.resolve())
    (folder / FOLDER).symlink_to(page.resolve())
    (folder / "workers").mkdir()
    for name in ("python.js", "session.js"):
        prefix = conditions.worker_prefix if name == "python.js" else ""
        script = (site / "workers" / name).read_text(encoding="utf-8")
        (folder / "workers" / name).write_text(prefix + script, encoding="utf-8")
    server = make_server(folder, 0, isolated=conditions.isolated, follow_links=True)
    with running(server) as address:
        yield f"{address}{FOLDER}/index.html"


def measure(engine: Engine, address: str, dtype: str, sample: Sample) -> dict[str, Any]:
    """Let an engine embed, tokenize and search a sample; see `Measured` in `measure.js`.

    Raises:
        EngineError: the page failed.
    """
    request = {
        "dtype": dtype,
        "texts": sample.texts,
        "queries": sample.queries,
        "index": f"index-{dtype}/",
        "modes": MODES,
        "searches": SEARCHES,
    }
    engine.open(address)
    measured: dict[str, Any] = engine.evaluate(MEASURE, request, seconds=SECONDS_PER_RUN)
    return measured


def has_jspi(engine: Engine) -> bool:
    """Check if an engine has JavaScript Promise Integration."""
    engine.open("about:blank")
    return bool(engine.evaluate(HAS_JSPI))
