"""Kind of result: interpretability of units."""

from __future__ import annotations

from beholder.analysis._result import RESULT_KINDS, ResultKind
from beholder.analysis.kinds._interpretability_pictures import draw_units, plot_units
from beholder.analysis.kinds._interpretability_words import ask_units, describe_units, tell_units

RESULT_KINDS.add("interpretability", ResultKind(ask_units, tell_units, describe_units, plot_units, draw_units))
