"""Stimuli made to order: one optimiser loop.

>>> import beholder as bh
>>> bh.synthesis.Channel("block3", 5)
Channel(layer='block3', channel=5)
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
