"""Networks as judges: what other networks make of metamers, and how that goes with people, attacks and brains."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__, {"bootstrap_share": "bootstrap_proportion"})
