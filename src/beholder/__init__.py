"""Beholder: neural networks as observers in perception experiments.

>>> import beholder as bh
>>> net = bh.load_model("beholder:shapes")
"""

from beholder._core.lazy import attach

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(__name__, __file__)
