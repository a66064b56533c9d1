"""Checks of values of any kind that type checkers follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard, cast


def is_json_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether what was read from JSON is an object."""
    return isinstance(value, dict)


def is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a setting holds settings."""
    return isinstance(value, Mapping)


def class_of(value: Any) -> type[Any]:
    """The class of anything."""
    return cast(type[Any], type(value))
