"""The command line: parse, call, print."""

from beholder.cli._main import main

__all__ = ["main"]
