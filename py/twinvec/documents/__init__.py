"""Files become passages: find, read and cut them."""
