"""Sessions and tokenizer cores, for CPython and for Pyodide."""

import sys

IN_BROWSER = sys.platform == "emscripten"
"""The only test of the platform in twinvec."""
