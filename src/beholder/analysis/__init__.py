"""Analysis: from activations, recordings and responses to tables and figures.

>>> import beholder as bh
>>> bh.analysis.DISTANCES.names()[:2]
['mahalanobis', 'crossnobis']
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
