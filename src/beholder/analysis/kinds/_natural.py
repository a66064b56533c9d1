"""Kind of result: how often a network is right about natural and graded stimuli."""

from __future__ import annotations

from beholder.analysis._result import RESULT_KINDS, ResultKind
from beholder.analysis.kinds._natural_pictures import draw_natural, plot_natural
from beholder.analysis.kinds._natural_words import ask_natural, describe_natural, list_records, tell_natural

RESULT_KINDS.add(
    "natural",
    ResultKind(ask_natural, tell_natural, describe_natural, plot_natural, draw_natural, records=list_records),
)
