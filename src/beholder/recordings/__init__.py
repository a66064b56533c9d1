"""Brain and other target data: responses of units to stimuli, with repeats and reliability; RDMs as data."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
