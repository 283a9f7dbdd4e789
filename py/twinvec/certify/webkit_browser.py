"""A smallest WebKitGTK browser, which a WebDriver controls: python3 webkit_browser.py PROFILE.

`MiniBrowser --automation` always is a private window, in which nothing can be stored. This browser
keeps its data in the folder PROFILE. It runs in the system's Python, which has Debian's
`python3-gi` and `gir1.2-webkit2-4.1`, and imports nothing of twinvec.

With a second argument, a page may use so many megabytes; WebKit ends a page that uses more.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")

from gi.repository import Gtk, WebKit2  # noqa: E402 (after the choice of their versions)

FEATURES = {
    "AccessHandle",
    "FileSystem",
    "FileSystemWritableStream",
    "StorageAPI",
    "StorageAPIEstimate",
}
"""Switched on in Safari 26, but not in WebKitGTK 2.50."""


def main(profile: Path, megabytes: int | None = None) -> None:
    """Show the windows that a driver asks for, until it ends the session."""
    context = make_context(profile, megabytes)
    context.set_automation_allowed(True)
    context.connect("automation-started", lambda _, session: start(context, session))
    Gtk.main()


def make_context(profile: Path, megabytes: int | None) -> WebKit2.WebContext:
    """Create a context that keeps its data in the profile's folder."""
    manager = WebKit2.WebsiteDataManager(
        base_data_directory=str(profile / "data"), base_cache_directory=str(profile / "cache")
    )
    if megabytes is None:
        return WebKit2.WebContext(website_data_manager=manager)
    pressure = WebKit2.MemoryPressureSettings()
    pressure.set_memory_limit(megabytes)
    pressure.set_conservative_threshold(0.5)
    pressure.set_strict_threshold(0.7)
    pressure.set_kill_threshold(1)
    pressure.set_poll_interval(0.5)
    return WebKit2.WebContext(website_data_manager=manager, memory_pressure_settings=pressure)


def start(context: WebKit2.WebContext, session: WebKit2.AutomationSession) -> None:
    """Name this browser to the driver, and answer its requests for windows."""
    facts = WebKit2.ApplicationInfo()
    facts.set_name("WebKitGTK")
    facts.set_version(
        WebKit2.get_major_version(), WebKit2.get_minor_version(), WebKit2.get_micro_version()
    )
    session.set_application_info(facts)
    session.connect("create-web-view", lambda _: open_window(context))


def open_window(context: WebKit2.WebContext) -> WebKit2.WebView:
    """Open a window, and return its view."""
    view = WebKit2.WebView(web_context=context, is_controlled_by_automation=True)
    settings = view.get_settings()
    features = WebKit2.Settings.get_all_features()
    for number in range(features.get_length()):
        if (feature := features.get(number)).get_identifier() in FEATURES:
            settings.set_feature_enabled(feature, True)  # noqa: FBT003 (GTK's)
    window = Gtk.Window(default_width=1280, default_height=900)
    window.connect("destroy", Gtk.main_quit)
    window.add(view)
    window.show_all()
    return view


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:]))
