"""The demo: its page's corpus and its build. Not part of the package."""
