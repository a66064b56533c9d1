"""Experiments: design, task folders, server, simulated participants. Knows no models.

>>> import beholder as bh
>>> bh.experiments.list_task_kinds()[:2]
('2afc', 'counterfactual')
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__, {"Plan": "ExperimentPlan", "Staircase": "AdaptiveProcedure"})
