"""Files to passages: find, read, cut."""
