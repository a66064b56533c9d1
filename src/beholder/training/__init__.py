"""Training of observers."""
