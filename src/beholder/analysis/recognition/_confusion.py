"""Which answers are given to which stimuli: confusion matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder.analysis.recognition._answers import Answers
from beholder.analysis.recognition._cells import EVERY, Cell
from beholder.analysis.recognition._proportions import (
    NETWORK,
    OVER_PEOPLE,
    PEOPLE,
    make_row,
    take_cell,
)
from beholder.statistics import OVER_STIMULI, Interval, compute_mean_interval, wilson_interval

CONFUSION = "confusion"
OVER_ANSWERS = "Wilson over answers"
"""As if each answer was to another stimulus, which narrows the interval where stimuli come in several conditions."""
MOST_LABELS = 40
NO_ANSWER = "none"
_NONE = ("", "na", "nan", "none", "n/a")


@final
@dataclass(frozen=True, eq=False)
class Confusions:
    """Counts of answers by true label.

    Attributes
    ----------
    observers : tuple of str
        Empty for people, then networks.
    labels : tuple of str
    answers : tuple of str
        The labels, then answers that never are right.
    counts : (n_observers, n_cells, n_labels, n_answers), int
    people : (n_participants, n_cells, n_labels, n_answers), int
        Of each participant.
    """

    observers: tuple[str, ...]
    labels: tuple[str, ...]
    answers: tuple[str, ...]
    counts: np.ndarray
    people: np.ndarray


def count_confusions(answers: Answers, cells: Sequence[Cell]) -> Confusions | None:
    """Confusion matrices of people and networks; None where labels or answers are not told, or are too many."""
    sides = [table for table in (answers.people, answers.networks) if len(table)]
    if not all({"truth", "response"} <= set(table.columns) for table in sides):
        return None
    labels = sorted({str(value) for table in sides for value in table["truth"]} - {""})
    given = {clean(value) for table in sides for value in table["response"]}
    if not 2 <= len(labels) <= MOST_LABELS or len(given) > 2 * MOST_LABELS:
        return None
    others = sorted(given - set(labels) - {NO_ANSWER})
    columns = (*labels, *others, *([NO_ANSWER] if NO_ANSWER in given - set(labels) else []))
    tables = [answers.people] if len(answers.people) else []
    names = [""] if len(answers.people) else []
    for name in answers.rules:
        names.append(name)
        tables.append(answers.networks[answers.networks["participant"] == name])
    counts = np.zeros((len(names), max(1, len(cells)), len(labels), len(columns)), dtype=np.int64)
    for row, table in enumerate(tables):
        for place, cell in enumerate(cells or [EVERY]):
            counts[row, place] = _count(take_cell(table, cell), labels, columns)
    own = [own for _, own in answers.people.groupby("participant", sort=True)]
    people = np.zeros((len(own), *counts.shape[1:]), dtype=np.int64)
    for row, table in enumerate(own):
        for place, cell in enumerate(cells or [EVERY]):
            people[row, place] = _count(take_cell(table, cell), labels, columns)
    return Confusions(tuple(names), tuple(labels), columns, counts, people)


def clean(response: Any) -> str:
    """An answer, or that there is none.

    >>> clean("bird"), clean("NA")
    ('bird', 'none')
    """
    return NO_ANSWER if str(response).casefold() in _NONE else str(response)


def _count(table: Any, labels: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    rows, places = {name: k for k, name in enumerate(labels)}, {name: k for k, name in enumerate(columns)}
    counts = np.zeros((len(labels), len(columns)), dtype=np.int64)
    for truth, response in zip(table["truth"], table["response"], strict=True):
        if truth in rows:
            counts[rows[truth], places[clean(response)]] += 1
    return counts


def list_confusion_rows(found: Confusions, cells: Sequence[Cell], rules: dict[str, str]) -> list[dict[str, Any]]:
    """A row for each answer that was given to each label, over all cells, then in each of several."""
    rows = list(_iter_rows(found, EVERY, slice(None), rules))
    for place, cell in enumerate(cells if len(cells) > 1 else ()):
        rows += _iter_rows(found, cell, slice(place, place + 1), rules)
    return rows


def _iter_rows(found: Confusions, cell: Cell, where: slice, rules: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Of one cell, or of all together."""
    people = found.people[:, where].sum(axis=1)
    for counts, name in zip(found.counts[:, where].sum(axis=1), found.observers, strict=True):
        for i, j in np.argwhere(counts > 0).tolist():
            n = int(counts[i].sum())
            if name or len(people) < 2:
                low, high = (float(end) for end in wilson_interval(counts[i, j], n))
                interval = Interval(counts[i, j] / n, low, high, n)
                method = OVER_STIMULI if found.counts[:, where].shape[1] == 1 else OVER_ANSWERS
            else:
                totals = people[:, i].sum(axis=1)
                interval = compute_mean_interval((people[:, i, j] / np.maximum(totals, 1))[totals > 0], (0, 1))
                method = OVER_PEOPLE
            yield make_row(
                cell, CONFUSION, method, interval, observer=NETWORK if name else PEOPLE, model=name,
                rule=rules.get(name, ""), n_answers=int(counts[i, j]), truth=found.labels[i],
                response=found.answers[j],
            )  # fmt: skip
