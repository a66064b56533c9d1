"""Proportions correct by observer and cell, and their differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from beholder._core.wording import format_count
from beholder.analysis.recognition._answers import Answers
from beholder.analysis.recognition._cells import EVERY, Cell, with_all
from beholder.analysis.recognition._joining import make_keys, name_key
from beholder.statistics import DRAWN_STIMULI, Interval, compute_mean_interval, measure_proportion

PROPORTION = "proportion correct"
DIFFERENCE = "difference"
PEOPLE, PERSON, NETWORK = "people", "person", "network"
OVER_PEOPLE = "Student's t over people"
T_STIMULI = "Student's t over stimuli"
_PROPORTIONS = (0.0, 1.0)
_DIFFERENCES = (-1.0, 1.0)


def take_cell(table: Any, cell: Cell) -> Any:
    """Answers in a cell."""
    return table if cell is EVERY else table[table["cell"] == cell.key]


def score_people(rows: Any, column: str = "correct") -> dict[str, tuple[float, int]]:
    """Mean of each participant, and how many answers it is of.

    Parameters
    ----------
    rows : DataFrame
    column : str
        Truths, or numbers.
    """
    if not len(rows):
        return {}
    found: Any = rows.groupby("participant", sort=True)[column].agg(["mean", "size"])
    return {str(name): (float(mean), int(size)) for name, mean, size in found.itertuples()}


def iter_proportions(answers: Answers, cells: Sequence[Cell], seed: int) -> Iterator[dict[str, Any]]:
    """A row for people, each person and each network, in each cell and in all."""
    for cell in with_all(cells):
        rows = take_cell(answers.people, cell)
        scores = score_people(rows)
        if len(scores) > 1:
            found = compute_mean_interval([mean for mean, _ in scores.values()], _PROPORTIONS)
            yield make_row(cell, PROPORTION, OVER_PEOPLE, found, observer=PEOPLE, n_answers=len(rows))
        elif scores:
            found, method = measure_proportion(rows["correct"], list_ids(rows), seed)
            yield make_row(cell, PROPORTION, method, found, observer=PEOPLE, n_answers=len(rows), seed=seed)
        for name in answers.rules:
            own = take_cell(answers.networks[answers.networks["participant"] == name], cell)
            if len(own):
                found, method = measure_proportion(own["correct"], list_ids(own), seed)
                rule = answers.rules[name]
                yield make_row(
                    cell, PROPORTION, method, found, observer=NETWORK, model=name, rule=rule, n_answers=len(own),
                    seed=seed,
                )  # fmt: skip
    for name, own in answers.people.groupby("participant", sort=True) if len(answers.people) else ():
        for cell in with_all(cells):
            rows = take_cell(own, cell)
            if len(rows):
                found, method = measure_proportion(rows["correct"], list_ids(rows), seed)
                yield make_row(
                    cell, PROPORTION, method, found, observer=PERSON, subject=str(name), n_answers=len(rows), seed=seed
                )


def note_equal_people(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A note on conditions in which people do not differ, such as where all are right: the interval has no width."""
    flat = [
        " ".join(word for word in (row["generator"], row["layer"], row["target"]) if word)
        for row in rows
        if row["statistic"] == PROPORTION and row["observer"] == PEOPLE and row["n"] > 1 and row["low"] == row["high"]
    ]
    more = f" and {format_count(len(flat) - 1, 'more condition')}" if len(flat) > 1 else ""
    told = f"People do not differ in {flat[0]}{more}: intervals over people have no width there." if flat else ""
    return [told] if told else []


def list_ids(rows: Any) -> list[str] | None:
    """The stimulus of each answer, of which all versions are one; None where it is not told."""
    return list(rows["stimulus"]) if "stimulus" in rows.columns else None


def iter_differences(answers: Answers, cells: Sequence[Cell]) -> Iterator[dict[str, Any]]:
    """People less each network on the same stimuli; networks less one another; people's cells less the first."""
    names = list(answers.rules)
    if answers.is_joined:
        for cell in with_all(cells):
            rows = take_cell(answers.people, cell)
            for name in names:
                yield from _compare_with_network(answers, rows, cell, name)
    for cell in with_all(cells) if "stimulus" in answers.networks.columns else ():
        for place, one in enumerate(names):
            for two in names[place + 1 :]:
                both = [each for each in answers.shown[one] if each in answers.shown[two]]
                rows = take_cell(answers.networks, cell)
                first, second = (_score_keys(rows[rows["participant"] == name], both) for name in (one, two))
                common = [key for key in first if key in second]
                if common:
                    found = compute_mean_interval(_average_versions(first, second, common), _DIFFERENCES)
                    yield make_row(
                        cell, DIFFERENCE, T_STIMULI, found, observer=NETWORK, model=one, minus=two,
                        n_answers=len(common), rule=answers.rules[one],
                    )  # fmt: skip
    first = score_people(take_cell(answers.people, cells[0])) if len(cells) > 1 and len(answers.people) else {}
    for cell in cells[1:]:
        scores = score_people(take_cell(answers.people, cell))
        both = [name for name in first if name in scores]
        if len(both) > 1:
            found = compute_mean_interval([scores[name][0] - first[name][0] for name in both], _DIFFERENCES)
            n_answers = sum(scores[name][1] + first[name][1] for name in both)
            minus = cells[0].target or " ".join(word for word in (cells[0].generator, cells[0].layer) if word)
            yield make_row(cell, DIFFERENCE, OVER_PEOPLE, found, observer=PEOPLE, minus=minus, n_answers=n_answers)


def _compare_with_network(answers: Answers, rows: Any, cell: Cell, name: str) -> Iterator[dict[str, Any]]:
    matched = match_network(answers, rows, name)
    if not len(matched):
        return
    people = matched.groupby("participant")[["correct", "network"]].mean()
    if len(people) > 1:
        found = compute_mean_interval(people["correct"] - people["network"], _DIFFERENCES)
        method = OVER_PEOPLE
    else:
        means = matched.groupby("stimulus")[["correct", "network"]].mean()
        found, method = compute_mean_interval(means["correct"] - means["network"], _DIFFERENCES), T_STIMULI
    yield make_row(
        cell, DIFFERENCE, method, found, observer=PEOPLE, minus=name, n_answers=len(matched), rule=answers.rules[name]
    )


def match_network(answers: Answers, rows: Any, name: str) -> Any:
    """People's answers to stimuli that a network answered, with its own score on each in ``network``."""
    shown, networks = answers.shown[name], answers.networks
    scores = _score_keys(networks[networks["participant"] == name], shown)
    known = rows[rows[name_key(shown)].isin(scores)]
    network = [scores[key] for key in known[name_key(shown)]]
    return known.assign(network=network, correct=known["correct"].astype(float))


def _average_versions(first: dict[str, float], second: dict[str, float], keys: Sequence[str]) -> list[float]:
    """Mean difference of each stimulus over all versions that were shown."""
    found: dict[str, list[float]] = {}
    for key in keys:
        found.setdefault(key.partition("\n")[0], []).append(first[key] - second[key])
    return [float(np.mean(values)) for values in found.values()]


def _score_keys(own: Any, shown: Sequence[str]) -> dict[str, float]:
    """A network's mean score on each stimulus as it was shown."""
    scored = own.assign(correct=own["correct"].astype(float), key=make_keys(own, shown))
    found: Any = scored.groupby("key", sort=True)["correct"].mean()
    return {str(key): float(value) for key, value in found.items()}


def make_row(
    cell: Cell, statistic: str, method: str, found: Interval, *, observer: str, model: str = "", subject: str = "",
    minus: str = "", rule: str = "", n_answers: int = 0, seed: int = 0, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """A row of the result."""
    return {
        "model": model, **cell.to_row(), "subject": subject, "statistic": statistic, "method": method,
        "estimate": found.estimate, "low": found.low, "high": found.high, "n": found.n,
        "seed": seed if method == DRAWN_STIMULI else 0,
        "observer": observer, "minus": minus, "rule": rule, "n_answers": n_answers, **more,
    }  # fmt: skip
