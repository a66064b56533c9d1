"""Spans of time: what several rooms count in, and how they are said."""

from __future__ import annotations

DAY_S = 86_400.0
"""Seconds of a day of 24 hours."""


def format_duration(seconds: float) -> str:
    """A span of time in words.

    >>> [format_duration(s) for s in (0.3, 42, 150, 7_800, 400_000)]
    ['0.3 s', '42 s', '2.5 min', '2.2 h', '4.6 days']
    """
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6_000:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 3 * DAY_S else f"{seconds / DAY_S:.1f} days"


def format_rate(per_second: float, unit: str = "") -> str:
    """A rate by the span in which something happens, such as ``3.1 steps/s``.

    >>> [format_rate(r) for r in (120.0, 1.5, 0.2, 0.002)]
    ['120/s', '1.5/s', '12/min', '7.2/h']
    """
    for seconds, name in ((1, "s"), (60, "min"), (3_600, "h")):
        rate = per_second * seconds
        if rate >= 1 - 1e-9 or name == "h":
            return f"{rate:.1f}{unit}/{name}" if rate < 9.95 else f"{rate:,.0f}{unit}/{name}"
    raise AssertionError
