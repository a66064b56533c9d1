"""Plain arrays in, plain numbers out: intervals, correlations, psychometric functions, power.

>>> import beholder as bh
>>> [round(float(end), 2) for end in bh.statistics.wilson_interval(8, 10)]
[0.49, 0.94]
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__, {"bootstrap_share": "bootstrap_proportion"})
