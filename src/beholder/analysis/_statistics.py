"""Statistics on plain arrays that analyses are made of, under the names of this room."""

from beholder.statistics import RELIABILITY_METHODS, compute_reliability, compute_reliability_floor

__all__ = ["RELIABILITY_METHODS", "compute_reliability", "compute_reliability_floor"]
