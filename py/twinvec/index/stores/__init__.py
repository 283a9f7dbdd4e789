"""Where an index's bytes are read from."""
