"""Plain arrays in, plain numbers out: intervals, correlations, psychometric functions, power."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__, {"bootstrap_share": "bootstrap_proportion"})
