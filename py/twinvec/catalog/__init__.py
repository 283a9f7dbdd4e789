"""From a model's name to a verified model folder."""
