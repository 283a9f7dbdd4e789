"""Build and preview a folder that any static host can serve."""
