"""What a benchmark needs besides Beholder: it is there, or the benchmark ends with the line to type."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import NoReturn

INSTALL = "pip install -r benchmarks/requirements{}.txt"
"""From nothing, in a fresh environment and the repository's root."""

BESIDE = f"{INSTALL.format('')} && pip install --no-deps -r benchmarks/requirements-{{}}.txt"
"""Peers whose own pins refuse current torch or numpy: the file lists all that they need beyond Beholder."""


def import_peer(module: str, file: str | None = None) -> ModuleType:
    """A module of a peer that has a file of requirements of its own, named after it or ``file``."""
    peer = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        stop(f"{peer}", f"an environment without it ({error})", BESIDE.format(file or peer))


def import_browser_tests(module: str) -> ModuleType:
    """A module of the tests that drive browsers."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        stop("what drives browsers", f"an environment without {error.name}", INSTALL.format("-browsers"))


def stop(expected: str, got: str, hint: str) -> NoReturn:
    """End with one line."""
    print(f"error: expected {expected}; got {got}; try {hint}", file=sys.stderr)
    raise SystemExit(2)
