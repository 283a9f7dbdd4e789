"""A model folder: its facts, its dtypes, its reference vectors."""
