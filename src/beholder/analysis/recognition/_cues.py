"""Stimuli whose cues disagree: by which of two labels an observer goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder._core.id_patterns import extract_ids
from beholder._core.wording import format_count
from beholder.analysis.recognition._answers import Answers
from beholder.analysis.recognition._cells import EVERY, Cell, with_all
from beholder.analysis.recognition._proportions import (
    NETWORK,
    OVER_PEOPLE,
    PEOPLE,
    PERSON,
    list_ids,
    make_row,
    score_people,
    take_cell,
)
from beholder.statistics import Interval, compute_mean_interval, measure_proportion

SHAPE_BIAS = "shape bias"
POOLED = "all answers together"
"""As published: the answers of all people as if they were one's."""
CHOICES = {"shape": "shape choices", "texture": "texture choices", "other": "other choices"}


def add_texture(table: Any, pattern: str | None) -> Any:
    """The table with the second label of each stimulus: its column, or what a pattern finds in the stimulus's id.

    Raises
    ------
    InputError
        A pattern that fits no id, or stimuli without ids.
    """
    if pattern is None or not len(table):
        return table
    if "stimulus" not in table.columns:
        raise InputError("stimuli whose ids hold their texture, with --texture_pattern", got="answers without stimuli")
    found = extract_ids([str(each) for each in table["stimulus"]], pattern)
    if not any(found):
        got = f"{pattern}, which fits none, such as {str(table['stimulus'].iloc[0])!r}"
        raise InputError("a pattern whose group is the texture's label in the ids", got=got, hint="-([a-z]+)")
    return table.assign(texture=[each or "" for each in found])


def take_conflicts(table: Any) -> Any:
    """Answers to stimuli of two labels that differ, with ``choice``: shape, texture or other."""
    if not len(table) or not {"truth", "texture", "response"} <= set(table.columns):
        return None
    both = table[(table["texture"] != "") & (table["truth"] != "") & (table["texture"] != table["truth"])]
    if not len(both):
        return None
    response = both["response"].astype(str)
    choice = np.where(response == both["truth"], "shape", np.where(response == both["texture"], "texture", "other"))
    return both.assign(choice=choice)


def iter_cue_rows(answers: Answers, cells: Sequence[Cell], seed: int) -> Iterator[dict[str, Any]]:
    """Shape bias and choices of people, each person and each network; by cell, in all, and by label of the shape.

    Shape bias is the proportion of shape choices among choices of either cue; stimuli of one label count as none.
    """
    for table, is_people in ((answers.people, True), (answers.networks, False)):
        both = take_conflicts(table)
        if both is None:
            continue
        for cell in with_all(cells):
            rows = take_cell(both, cell)
            yield from _count_rows(rows, cell, "", is_people, answers.rules, seed)
        for label in sorted(set(both["truth"])):
            yield from _count_rows(both[both["truth"] == label], EVERY, str(label), is_people, answers.rules, seed)


def _count_rows(
    rows: Any, cell: Cell, label: str, is_people: bool, rules: dict[str, str], seed: int
) -> Iterator[dict[str, Any]]:
    if not len(rows):
        return
    decided = rows[rows["choice"] != "other"]
    decided = decided.assign(by_shape=(decided["choice"] == "shape").astype(float))
    if not is_people:
        for name, rule in rules.items():
            own, chosen = (part[part["participant"] == name] for part in (rows, decided))
            yield from _count_one(own, chosen, cell, label, seed, NETWORK, model=name, rule=rule)
        return
    people = sorted({str(name) for name in rows["participant"]})
    if len(people) > 1:
        scores = [mean for mean, _ in score_people(decided, "by_shape").values()]
        found = compute_mean_interval(scores, (0, 1))
        if scores:
            words: dict[str, Any] = {"observer": PEOPLE, "n_answers": len(decided), "truth": label}
            yield make_row(cell, SHAPE_BIAS, OVER_PEOPLE, found, **words)
            if not label:
                every = Interval(float(decided["by_shape"].mean()), np.nan, np.nan, len(decided))
                yield make_row(cell, SHAPE_BIAS, POOLED, every, **words)
        for choice, statistic in CHOICES.items():
            chosen = rows.assign(chosen=(rows["choice"] == choice).astype(float))
            found = compute_mean_interval([mean for mean, _ in score_people(chosen, "chosen").values()], (0, 1))
            yield make_row(cell, statistic, OVER_PEOPLE, found, observer=PEOPLE, n_answers=len(rows), truth=label)
    else:
        yield from _count_one(rows, decided, cell, label, seed, PEOPLE)
    if label:
        return
    for name in people:
        own, chosen = (part[part["participant"] == name] for part in (rows, decided))
        yield from _count_one(own, chosen, cell, label, seed, PERSON, subject=name)


def _count_one(
    rows: Any, decided: Any, cell: Cell, label: str, seed: int, observer: str, **words: Any
) -> Iterator[dict[str, Any]]:
    """Of one observer, over stimuli."""
    if len(decided):
        found, method = measure_proportion(decided["by_shape"], list_ids(decided), seed)
        yield make_row(
            cell, SHAPE_BIAS, method, found, observer=observer, n_answers=len(decided), seed=seed, truth=label, **words
        )
    for choice, statistic in CHOICES.items() if len(rows) else ():
        found, method = measure_proportion(rows["choice"] == choice, list_ids(rows), seed)
        yield make_row(
            cell, statistic, method, found, observer=observer, n_answers=len(rows), seed=seed, truth=label, **words
        )


def note_cues(answers: Answers) -> list[str]:
    """Who never went by either cue, and how many stimuli have one label."""
    told: list[str] = []
    for table, who in ((answers.people, "person"), (answers.networks, "network")):
        both = take_conflicts(table)
        if both is None:
            continue
        proportions: Any = (both["choice"] != "other").groupby(both["participant"]).any()
        never = [str(name) for name, any_ in proportions.items() if not any_]
        if never:
            told.append(f"Shape bias of {never[0]} is not defined: no {who}'s answer of theirs is by either cue.")
        same = table[(table["texture"] == table["truth"]) & (table["texture"] != "")]
        if len(same) and who == "person":
            told.append(
                f"{format_count(len(same), 'answer')} are to stimuli whose shape "
                "and texture are of one label; they tell no cue from "
                "the other and are left out of shape bias."
            )
    return told
