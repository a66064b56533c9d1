"""The server of an experiment and its rules."""
