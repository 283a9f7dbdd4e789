"""Turn texts into vectors: tokenize, run, pool, normalize. Strings and arrays only."""
