"""Units: drawn from a network's layers, recorded over stimuli, and the stimuli that drive them most and least.

>>> import beholder as bh
>>> bh.units.plan_windows(1000, num_batches=2).start_max
980
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__, __file__, {"deal_released": "assign_released", "deal_unit": "assign_unit", "deal_units": "assign_units"}
)
