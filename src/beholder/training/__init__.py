"""Training of observers: networks that learn to name stimuli, plainly, under attack or in noise.

>>> import beholder as bh
>>> bh.training.resolve_settings("standard", "image").optimizer
'sgd'
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
