"""The far end of a page's requests, in Pyodide."""
