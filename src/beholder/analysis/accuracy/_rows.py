"""Rows of accuracies: proportions of one network with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beholder.statistics import DRAWN_STIMULI, OVER_STIMULI, measure_proportion

TOP1, TOP5, SIXTEEN = "accuracy_top1", "accuracy_top5", "accuracy_sixteen"
OF_CLASS, OF_CLASSES, CONFUSION = "accuracy_of_class", "mean_of_classes", "confusion"
DRAWN_CLASSES = "bootstrap over classes"
K = 5
"""Of top-5, which says nothing of networks with fewer than six classes."""


def measure_accuracy(
    right: Any, stimuli: Sequence[str] | None = None, classes: Sequence[str] | None = None, *, seed: int
) -> dict[str, Any]:
    """Proportion of right answers as the columns of a row: Wilson's interval, or a bootstrap of what belongs together.

    Parameters
    ----------
    right : (n_answers,), bool
    stimuli : sequence of str, (n_answers,), optional
        Versions of one stimulus share its name, and are drawn together.
    classes : sequence of str, (n_answers,), optional
        Classes are drawn in place of stimuli: the interval then speaks of other classes.
    seed : int
        Of the draws.
    """
    found, method = measure_proportion(right, classes if classes is not None else stimuli, seed)
    drawn = method == DRAWN_STIMULI
    if classes is not None:
        method = DRAWN_CLASSES if drawn else OVER_STIMULI
    return {
        "method": method, "estimate": found.estimate, "low": found.low, "high": found.high, "n": found.n,
        "seed": seed if drawn else 0, "n_right": int(np.asarray(right, dtype=bool).sum()), "n_answers": len(right),
    }  # fmt: skip
