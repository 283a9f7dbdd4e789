"""The demo's corpus: not part of the package."""
