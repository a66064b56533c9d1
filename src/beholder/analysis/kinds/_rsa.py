"""Kind of result: representational similarity analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beholder.analysis._result import RESULT_KINDS, Result, ResultKind
from beholder.analysis.kinds._rsa_pictures import draw_rsa, plot_rsa
from beholder.analysis.kinds._rsa_words import ask_rsa, describe_rsa, tell_rsa

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _plot(result: Result, ax: Axes | None) -> Axes:
    return plot_rsa(result, ax)


RESULT_KINDS.add("rsa", ResultKind(ask_rsa, tell_rsa, describe_rsa, _plot, draw_rsa))
