"""Experiments: design, task folders, server, simulated participants. Knows no models."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__, {"Plan": "ExperimentPlan", "Staircase": "AdaptiveProcedure"})
