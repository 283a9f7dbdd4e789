"""Python's answers to the requests of a page, in Pyodide."""
