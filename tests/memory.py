"""Memory of a browser's processes."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser


def renderer_memory(browser: Browser) -> int:
    """Sum up the proportional set size of the browser's renderers, in bytes; Linux only."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    pids = [process["id"] for process in processes if process["type"] == "renderer"]
    return sum(map(_proportional_set_size, pids))


def _proportional_set_size(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    (kilobytes,) = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return kilobytes * 1024
