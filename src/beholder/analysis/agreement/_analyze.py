"""``analyze agreement``: people with networks, people with people, networks with networks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.progress import show_progress, tell
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count, format_share
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._result import Result, make_result
from beholder.analysis.agreement._observers import Observers, collect_observers, open_trials
from beholder.analysis.agreement._rows import (
    PAIR,
    AgreementSettings,
    average_rows,
    confusion_rows,
    iter_pairs,
)
from beholder.statistics import OVER, Over

_FEWEST_CLASSES = 3
_HIGH, _LOW = 0.95, 0.2
_FEWEST_PEOPLE = 4


@suggest_keywords
def analyze_agreement(
    trials: Any,
    networks: Any = None,
    *,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    id_pattern: str | None = None,
    include_excluded: bool = False,
    conditions: Sequence[str] | None = None,
    width: float = 0.2,
    over: Over = "both",
    n_draws: int = 1000,
    n_permutations: int = 1000,
    seed: int = DEFAULT_SEED,
) -> Result:
    r"""Tell whether people and networks fail on the same stimuli, and give the same wrong answers.

    Error consistency of every two observers in every condition, its mean over people for each network, and that of
    people with one another as ceiling; correlation of confusion matrices with those of people, likewise.

    Parameters
    ----------
    trials : Trials, DataFrame, path or sequence of paths
        Single answers, as :func:`beholder.responses.read_trials` reads them. Answers by a decision rule are a
        network's, all others a person's.
    networks : Trials, DataFrame, path or sequence of paths, optional
        Answers that are networks'.
    columns, id_pattern, include_excluded
        As for :func:`beholder.responses.read_trials`, where paths are given.
    conditions : sequence of str, optional
        Only these; default all that people answered in.
    width : float, above 0
        Width of an interval of one error consistency, for which the number of stimuli is told.
    over : {"both", "stimuli", "people"}
        What intervals of means generalise to.
    n_draws, n_permutations, seed : int

    Returns
    -------
    Result
        ``kind`` is ``agreement``. Statistics: ``pair`` (two observers in one condition), ``mean over people`` (of a
        network), ``people with one another``, ``less people with one another``, ``difference`` (of two networks), the
        last four also for ``all conditions``; ``method`` is ``error consistency`` or ``confusion correlation``.

    Raises
    ------
    InputError
        Answers that are neither right nor wrong, fewer than two observers, no stimulus in common.

    Notes
    -----
    Source: Geirhos, Meding & Wichmann 2020, NeurIPS 33. Here a pair that is right (or wrong) on every stimulus has no
    error consistency; published code counts 1.

    Examples
    --------
    >>> from pathlib import Path
    >>> rows = [f"{who},s{k},c,{int(k % n > 0)}" for who, n in (("p1", 2), ("p2", 3), ("net", 4)) for k in range(24)]
    >>> _ = Path("people.csv").write_text("\n".join(["participant,stimulus,condition,correct", *rows[:48]]))
    >>> _ = Path("net.csv").write_text("\n".join(["participant,stimulus,condition,correct", *rows[48:]]))
    >>> found = analyze_agreement("people.csv", "net.csv", n_draws=100, n_permutations=100)
    >>> [round(each, 2) for each in found.table.query("statistic == 'mean over people'").estimate]
    [0.25]
    """
    _check(width, over)
    reading: dict[str, Any] = {"id_pattern": id_pattern, "include_excluded": include_excluded}
    answers = open_trials(trials, columns=columns, **reading)
    others = None if networks is None else open_trials(networks, columns=columns, **reading)
    observers = collect_observers(answers, others, conditions)
    n_people, n_nets = len(observers.people), len(observers.networks)
    if n_people + n_nets < 2:
        raise InputError("two observers or more", got=", ".join((*observers.people, *observers.networks)))
    for sentence in (*observers.sentences, *observers.notes):
        tell("%s", sentence)
    inputs = identify_inputs(answers=np.array([observers.content]))
    asked = AgreementSettings(width, over, n_draws, n_permutations, seed)
    groups = [[each] for each in observers.conditions]
    if len(groups) > 1:
        groups.append(list(observers.conditions))
    has_confusions = n_people > 1 and observers.n_classes >= _FEWEST_CLASSES
    n_steps = len(observers.conditions) + (n_people > 0) * len(groups) * (1 + has_confusions)
    with show_progress("agreement", n_steps, "steps", tells_end=False) as advance:
        pairs: list[dict[str, Any]] = []
        for each in observers.conditions:
            pairs += iter_pairs(observers, each, asked)
            advance(1)
        rows, arrays, notes = list(pairs), dict[str, np.ndarray](), [*observers.notes, *_note(observers, pairs)]
        for group in groups if n_people else ():
            rows += average_rows(observers, group, pairs, asked, differences=group is groups[-1])
            advance(1)
        for group in groups if has_confusions else ():
            found, counts = confusion_rows(observers, group, asked, differences=group is groups[-1])
            rows += found
            arrays = {"confusions": counts, "classes": np.array(observers.classes)}
            advance(1)
    settings: dict[str, Any] = {
        "people": list(observers.people), "networks": list(observers.networks),
        "conditions": [each.name for each in observers.conditions],
        "n_stimuli": sum(len(each.stimuli) for each in observers.conditions), "n_classes": observers.n_classes,
        "width": width, "over": over,
        "n_draws": n_draws, "n_permutations": n_permutations, "seed": seed,
        "sentences": list(observers.sentences), "inputs": inputs,
    }  # fmt: skip
    return make_result("agreement", rows, settings, warnings=notes, arrays=arrays)


def _check(width: float, over: str) -> None:
    if not (math.isfinite(width) and width > 0):
        raise InputError("a --width above 0", got=f"{width:g}")
    if over not in OVER:
        raise UnknownNameError("what to draw", over, OVER)


def _note(observers: Observers, pairs: Sequence[dict[str, Any]]) -> list[str]:
    """What a reader should not conclude."""
    notes: list[str] = []
    n_undefined = sum(math.isnan(row["estimate"]) for row in pairs if row["statistic"] == PAIR)
    if n_undefined:
        notes.append(
            f"{n_undefined} of {format_count(len(pairs), 'pair')} of observers have no error consistency: both are "
            "right (or wrong) on every stimulus; they are left out of means."
        )
    n = len(observers.people)
    for condition in observers.conditions:
        where = f" in {condition.name}" if condition.name else ""
        of_people, of_nets = condition.correct[:n], condition.correct[n:]
        missing = [name for name, own in zip((*observers.people, *observers.networks), condition.correct, strict=True)
                   if not np.isfinite(own).any()]  # fmt: skip
        if missing:
            notes.append(f"{', '.join(missing)}: no answers{where}.")
        if np.isfinite(of_people).any():
            share = float(np.nanmean(of_people))
            if share >= _HIGH or share <= _LOW:
                notes.append(
                    f"People are right on {format_share(share)} of stimuli{where}: few errors (or right answers) "
                    "decide about error consistency there."
                )
        for name, own in zip(observers.networks, of_nets, strict=True):
            known = own[np.isfinite(own)]
            if len(known) and known.min() == known.max():
                notes.append(
                    f"{name} is {'right' if known[0] else 'wrong'} on every stimulus{where}: its error consistency is "
                    "0 whatever it does like people."
                )
    notes += _note_unshared(observers)
    if n == 1:
        notes.append("One person alone: no agreement among people, and intervals say nothing about other people.")
    if 1 < n < _FEWEST_PEOPLE:
        notes.append(f"{format_count(n, 'person')}: intervals say little about other people.")
    if 0 < observers.n_classes < _FEWEST_CLASSES:
        notes.append("Confusions are not compared: they take three classes or more.")
    return notes


def _note_unshared(observers: Observers) -> list[str]:
    """People who answered no stimulus alike, of whom nothing can agree, and what to do about it."""
    n = len(observers.people)
    shared = np.zeros((n, n), dtype=bool)
    for condition in observers.conditions:
        known = np.isfinite(condition.correct[:n]).astype(np.int64)
        shared |= known @ known.T > 0
    n_pairs = n * (n - 1) // 2
    n_lost = n_pairs - int(np.triu(shared, 1).sum())
    if not n_lost:
        return []
    if n_lost < n_pairs:
        return [
            f"{n_lost:,} of {format_count(n_pairs, 'pair')} of people answered no stimulus in the same condition; "
            "people with one another are the others."
        ]
    return [
        "No two people answered a stimulus in the same condition, so that people have no agreement with one another; "
        "networks are compared with each person on the person's own stimuli. People who take the same task answer the "
        "same: in a plan, fewer tasks (--n_tasks) than people."
    ]
