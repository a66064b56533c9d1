"""Networks as judges: what other networks make of metamers, and how that goes with people, attacks and brains.

>>> import beholder as bh
>>> bh.evaluation.read_radii("l2", [0.5, 3], "image")
{'l2': (0.5, 3.0)}
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__, {"bootstrap_share": "bootstrap_proportion"})
