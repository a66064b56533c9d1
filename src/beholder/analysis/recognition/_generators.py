"""Whose metamers are recognised by whom, and whether that goes with attacked accuracy and with brains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder.analysis.recognition._answers import Answers
from beholder.analysis.recognition._cells import EVERY, Cell
from beholder.analysis.recognition._proportions import (
    NETWORK,
    OVER_PEOPLE,
    PEOPLE,
    list_ids,
    make_row,
    score_people,
)
from beholder.evaluation import read_attacked_accuracy, read_brain_prediction
from beholder.statistics import Interval, compute_mean_interval, correlate, measure_proportion

RECOGNISED = "recognised"
MEASURES = {"attacked": "attacked accuracy", "brain": "brain prediction"}
CORRELATION = {key: f"recognition and {name}" for key, name in MEASURES.items()}
_FISHER = "Pearson's r, Fisher's z over networks"


def iter_generator_rows(answers: Answers, cells: Sequence[Cell], seed: int) -> Iterator[dict[str, Any]]:
    """How often people and each network recognise what was made for each network, all its layers together."""
    for generator in list_generators(cells):
        own = {cell.key for cell in cells if cell.generator == generator and not cell.is_original}
        where = Cell("", generator, "", "all layers")
        rows = answers.people[answers.people["cell"].isin(own)]
        scores = score_people(rows)
        if len(scores) > 1:
            found = compute_mean_interval([mean for mean, _ in scores.values()], (0, 1))
            yield make_row(where, RECOGNISED, OVER_PEOPLE, found, observer=PEOPLE, n_answers=len(rows))
        elif scores:
            found, method = measure_proportion(rows["correct"], list_ids(rows), seed)
            yield make_row(where, RECOGNISED, method, found, observer=PEOPLE, n_answers=len(rows), seed=seed)
        for name in answers.rules:
            mine = answers.networks[answers.networks["participant"] == name]
            mine = mine[mine["cell"].isin(own)]
            if len(mine):
                found, method = measure_proportion(mine["correct"], list_ids(mine), seed)
                yield make_row(
                    where, RECOGNISED, method, found, observer=NETWORK, model=name, rule=answers.rules[name],
                    n_answers=len(mine), seed=seed,
                )  # fmt: skip


def list_generators(cells: Sequence[Cell]) -> list[str]:
    """Networks that stimuli were made for, in order."""
    return list(dict.fromkeys(cell.generator for cell in cells if cell.generator and not cell.is_original))


def read_measures(
    generators: Sequence[str], attacked: Path | str | None, attack: str | None, brain: Path | str | None
) -> dict[str, dict[str, float]]:
    """What files say of the networks: ``attacked`` and ``brain``, those that were asked for.

    Raises
    ------
    InputError
        No networks whose stimuli people answered.
    """
    asked = {"attacked": attacked, "brain": brain}
    if not any(asked.values()):
        return {}
    if not generators:
        raise InputError(
            "answers to stimuli that were made for networks, with --attacked and --brain",
            got="answers to others", hint="--columns model=… layer=…",
        )  # fmt: skip
    found: dict[str, dict[str, float]] = {}
    if attacked:
        found["attacked"] = read_attacked_accuracy(attacked, generators, attack)
    if brain:
        found["brain"] = read_brain_prediction(brain, generators)
    for key, values in found.items():
        if not values:
            raise InputError(f"{MEASURES[key]} of {', '.join(generators[:6])}", got=f"none of them in {asked[key]}")
    return found


def list_measure_rows(
    recognised: Mapping[str, float], measures: Mapping[str, Mapping[str, float]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Each network's measures, their correlations with people's recognition of its stimuli, and notes.

    Parameters
    ----------
    recognised : mapping of str to float
        People's recognition of each network's stimuli, averaged over layers.
    measures : mapping of str to mapping of str to float
        As :func:`read_measures` gives them.
    """
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for key, values in measures.items():
        both = [name for name in recognised if name in values]
        for name in both:
            found = Interval(values[name], np.nan, np.nan, 1)
            rows.append(make_row(Cell("", name), MEASURES[key], "as read", found, observer=""))
        r = correlate([recognised[name] for name in both], [values[name] for name in both])
        found = Interval(r.r, r.low, r.high, r.n)
        rows.append(make_row(EVERY, CORRELATION[key], _FISHER, found, observer=PEOPLE))
        missing = [name for name in recognised if name not in values]
        if missing:
            notes.append(f"{MEASURES[key].capitalize()} of {', '.join(missing[:4])} is not told.")
        if len(both) < 4:
            notes.append(
                f"{len(both)} {'network' if len(both) == 1 else 'networks'} with {MEASURES[key]}: too few for an "
                "interval of a correlation."
            )
    return rows, notes


def average_layers(rows: Sequence[Mapping[str, Any]], observer: str = PEOPLE) -> dict[str, float]:
    """People's proportion correct of each network's stimuli, averaged over layers, from rows of proportions."""
    found: dict[str, list[float]] = {}
    for row in rows:
        cell = Cell("", row["generator"], row["layer"], row["target"])
        if row["observer"] == observer and cell.generator and not cell.is_original and np.isfinite(row["estimate"]):
            found.setdefault(cell.generator, []).append(float(row["estimate"]))
    return {name: float(np.mean(values)) for name, values in found.items()}
