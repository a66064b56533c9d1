"""Kind of result: agreement of people and networks."""

from __future__ import annotations

from beholder.analysis._result import RESULT_KINDS, ResultKind
from beholder.analysis.kinds._agreement_pictures import draw_agreement, plot_agreement
from beholder.analysis.kinds._agreement_words import ask_agreement, describe_agreement, tell_agreement

RESULT_KINDS.add(
    "agreement", ResultKind(ask_agreement, tell_agreement, describe_agreement, plot_agreement, draw_agreement)
)
