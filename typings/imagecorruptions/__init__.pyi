"""Untyped on purpose: its numba, scikit-image and OpenCV are thousands of files."""

from typing import Any

def __getattr__(name: str) -> Any: ...
