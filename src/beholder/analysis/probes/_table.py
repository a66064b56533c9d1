"""The table of probes: how often each layer's names the class, with intervals over the stimuli tested."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder.statistics import balance_accuracy, count_confusions, find_balanced_interval, wilson_interval

FEW_CLASSES = 5
"""Among so many classes the right one is always in the first five."""


def measure_probe(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Counts of a test, plain: confusions, and how often the class is among the five highest.

    Parameters
    ----------
    scores : (n_test, n_classes), float
    labels : (n_test,), int
    """
    own = scores[np.arange(len(labels)), labels]
    rank = (scores > own[:, None]).sum(axis=1)
    confusions = count_confusions(labels, scores.argmax(axis=1), scores.shape[1])
    return {"confusions": confusions.tolist(), "n_top5": int((rank < FEW_CLASSES).sum())}


def make_rows(start: dict[str, Any], confusions: np.ndarray, n_top5: int) -> list[dict[str, Any]]:
    """Rows of one layer: ``top1``, ``top5`` of more than five classes, ``balanced-accuracy``."""
    n, n_classes = int(confusions.sum()), len(confusions)
    counts = {"top1": int(np.trace(confusions))} | ({"top5": n_top5} if n_classes > FEW_CLASSES else {})
    rows: list[dict[str, Any]] = []
    for statistic, right in counts.items():
        low, high = (float(each) for each in wilson_interval(right, n))
        chance = (1 if statistic == "top1" else FEW_CLASSES) / n_classes
        row = {"statistic": statistic, "estimate": right / n, "low": low, "high": high, "n": n, "chance": chance}
        rows.append(start | row)
    low, high = find_balanced_interval(confusions)
    balanced = {"statistic": "balanced-accuracy", "estimate": balance_accuracy(confusions), "low": low, "high": high}
    return [*rows, start | balanced | {"n": n, "chance": 1 / n_classes}]
