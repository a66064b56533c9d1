"""How large stimuli are shown: the setting ``size``, and what plans said before there was one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from beholder._core.errors import InputError

WORDS = ("fit", "pixels", "points")
"""Sizes without a number."""

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)(px|deg)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OLD = ("pixels", "size_degrees")


def parse_size(size: str) -> tuple[str, float]:
    """What ``size`` asks for.

    Parameters
    ----------
    size : str
        ``fit``: as many CSS pixels as the largest picture of the trial has pixels, less where the window has no room.
        ``300px``, ``5deg``: the longer side in CSS pixels, in degrees of visual angle. All pictures of a trial are
        equally large then. ``pixels``: each by its own pixels, one of the screen for one of the picture; ``points``:
        whole multiples of that, those that make it as large as on a plain screen.

    Returns
    -------
    word : str
        ``fit``, ``px``, ``deg``, ``pixels`` or ``points``.
    length : float
        In CSS pixels or degrees; 0 where the size has none.

    Raises
    ------
    InputError
        It is none of these.

    Examples
    --------
    >>> parse_size("5deg"), parse_size("fit")
    (('deg', 5.0), ('fit', 0.0))
    """
    if size in WORDS:
        return size, 0.0
    match = _LENGTH.fullmatch(size.replace(" ", ""))
    if match is None or float(match[1]) == 0:
        number = size.strip()
        hint = f"{number}px or {number}deg" if _NUMBER.fullmatch(number) else None
        raise InputError(
            "size in pixels (300px), in degrees (5deg), or one of " + ", ".join(WORDS), got=repr(size), hint=hint
        )
    return match[2], float(match[1])


def read_older_size(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with ``size`` where an older plan has ``pixels`` and ``size_degrees``; a number for it is read as text.

    Raises
    ------
    InputError
        Both forms at once.

    Examples
    --------
    >>> read_older_size({"kind": "similarity", "pixels": "screen", "size_degrees": 4.0})
    {'kind': 'similarity', 'size': '4deg'}
    >>> read_older_size({"pixels": "point"})
    {'size': 'points'}
    """
    old = {name: values[name] for name in _OLD if name in values}
    size = values.get("size")
    if not old:
        is_number = isinstance(size, int | float) and not isinstance(size, bool)
        return {**values, "size": f"{size:g}"} if is_number else dict(values)
    degrees = old.get("size_degrees")
    size = f"{degrees:g}deg" if isinstance(degrees, int | float) else _say_pixels(old.get("pixels", "screen"))
    if "size" in values:
        raise InputError(f"size={size}", got=", ".join(f"{name}={value}" for name, value in old.items()))
    return {**{name: value for name, value in values.items() if name not in _OLD}, "size": size}


def _say_pixels(value: Any) -> str:
    names = {"screen": "pixels", "point": "points"}
    if value not in names:
        raise InputError("size=pixels or size=points", got=f"pixels={value}")
    return names[value]
