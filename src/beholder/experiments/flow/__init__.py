"""Where a participant stands and what is shown next."""
