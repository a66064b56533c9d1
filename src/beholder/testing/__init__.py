"""The conformance suite of plug-ins: checks that their authors call in tests of their own.

Each takes one thing that a package adds, uses it as Beholder does, and raises :class:`AssertionError` with one line
that says what was expected, what came and what to try.

>>> import beholder as bh
>>> bh.testing.check_distance("crossnobis")
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
