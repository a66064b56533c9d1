"""Untyped on purpose: read as it is, transformers with all its architectures fills the memory of the type checker."""

from typing import Any

def __getattr__(name: str) -> Any: ...
