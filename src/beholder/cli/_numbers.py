"""Which numbers flags take."""

from __future__ import annotations

import math
from typing import Any


def refuse_below_zero(kind: Any, value: Any) -> None:
    """Refuse a number of a flag that is not finite or below 0, as no count, time, size or proportion is.

    Every flag is checked so; one whose numbers may be anything says so by a ``validator`` of its own.
    """
    if any(not 0 <= each < math.inf for each in _list_numbers(value)):
        raise ValueError("a number of at least 0" if kind is not int else "a whole number of at least 0")


def refuse_infinite(kind: Any, value: Any) -> None:
    """Refuse a number of a flag that is not finite."""
    if not all(map(math.isfinite, _list_numbers(value))):
        raise ValueError("a finite number")


def refuse_nan(kind: Any, value: Any) -> None:
    """Refuse what is no number."""
    if any(map(math.isnan, _list_numbers(value))):
        raise ValueError("a number")


def _list_numbers(value: Any) -> list[float]:
    values = value if isinstance(value, list | tuple) else [value]
    return [each for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
