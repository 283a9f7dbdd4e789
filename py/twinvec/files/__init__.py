"""Write files so that a crash leaves the old ones or the new ones."""
