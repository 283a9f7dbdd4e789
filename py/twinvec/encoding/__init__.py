"""Texts to vectors: tokenize, run, pool, normalize. Strings and arrays only."""
