"""Human answers: schema, store, export, exclusions.

>>> import beholder as bh
>>> bh.responses.ANSWER_FORMS["2afc"].values
('upper', 'lower')
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__, {"Conduct": "ParticipantSummary"})
