"""Published files by name."""
