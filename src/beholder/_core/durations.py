"""Spans of time that several rooms count in."""

from __future__ import annotations

DAY_S = 86_400.0
"""Seconds of a day of 24 hours."""
