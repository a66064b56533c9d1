"""What designing an experiment needs of :mod:`beholder.statistics`, under the names of this room."""

from beholder.statistics import (
    Effect,
    PowerAnalysis,
    compute_power,
    find_level,
    plan_power,
    psychometric,
    simulate_power,
)

__all__ = ["Effect", "PowerAnalysis", "compute_power", "find_level", "plan_power", "psychometric", "simulate_power"]
