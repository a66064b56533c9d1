"""Human answers: schema, store, export, exclusions."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__, {"Conduct": "ParticipantSummary"})
