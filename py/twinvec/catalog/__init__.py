"""From a model's name to a verified folder of its files."""
