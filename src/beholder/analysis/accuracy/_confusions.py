"""Which class is taken for which."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from beholder.analysis.accuracy._rows import CONFUSION
from beholder.evaluation import NaturalAnswers
from beholder.statistics import wilson_interval
from beholder.stimuli import load_categories

MOST_LABELS = 40
_MOST_ROWS = 50
OVER_ANSWERS = "Wilson over answers"


def count_confusions(table: Any, given: NaturalAnswers) -> dict[str, np.ndarray]:
    """Counts of answers by true label, in the order of the outputs; empty where there are too many classes to draw.

    Returns
    -------
    dict of str to array
        ``confusions`` (n_labels, n_answers), int; ``confusion_labels``, ``confusion_answers``, words.
    """
    truths, responses = list(map(str, table["truth"])), list(map(str, table["response"]))
    names = tuple(load_categories()) if given.decision == "category" else given.classes
    order = {name: i for i, name in enumerate(names)}
    labels, answers = (sorted(set(each), key=lambda name: order.get(name, 0)) for each in (truths, truths + responses))
    if not names or not 2 <= len(labels) <= MOST_LABELS or len(answers) > 2 * MOST_LABELS:
        return {}
    counts = np.zeros((len(labels), len(answers)), dtype=np.int64)
    np.add.at(counts, ([labels.index(name) for name in truths], [answers.index(name) for name in responses]), 1)
    return {
        "confusions": counts, "confusion_labels": np.array(labels, dtype=np.str_),
        "confusion_answers": np.array(answers, dtype=np.str_),
    }  # fmt: skip


def list_confusion_rows(table: Any) -> list[dict[str, Any]]:
    """The most frequent wrong answers: the proportion of a class's stimuli that are taken for another one."""
    pairs = list(zip(map(str, table["truth"]), map(str, table["response"]), strict=True))
    shown = Counter(truth for truth, _ in pairs)
    wrong = Counter(pair for pair in pairs if pair[0] != pair[1])
    ordered = sorted(wrong.items(), key=lambda each: (-each[1], each[0]))[:_MOST_ROWS]
    rows: list[dict[str, Any]] = []
    for (truth, response), count in ordered:
        low, high = (float(end) for end in wilson_interval(count, shown[truth]))
        rows.append({
            "target": truth, "statistic": CONFUSION, "method": OVER_ANSWERS, "estimate": count / shown[truth],
            "low": low, "high": high, "n": shown[truth], "n_answers": count,
            "class_name": truth, "response": response,
        })  # fmt: skip
    return rows
