"""Brain and other target data: responses of units to stimuli, with repeats and reliability; RDMs as data.

>>> import beholder as bh
>>> bh.recordings.RecordedRDMs([[1.0, 2.0, 3.0]], ["a", "b", "c"]).to_square().shape
(1, 3, 3)
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
