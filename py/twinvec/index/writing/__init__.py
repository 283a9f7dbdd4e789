"""Write and update an index on disk."""
