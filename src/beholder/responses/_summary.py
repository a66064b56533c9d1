"""Answers in numbers: who took part, who is left out and why, how often they were right, what they were shown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder.responses._scoring import TASK_KINDS, get_answer_form
from beholder.responses._tables import Responses
from beholder.statistics import bootstrap_proportion

LEAST_PARTICIPANTS = 5
"""With fewer, drawing participants says nothing about others, and no interval is given."""


@final
@dataclass(frozen=True)
class ConditionAccuracy:
    """Right answers to the main trials of one condition.

    Attributes
    ----------
    condition : tuple
        Values of the conditions, in the order of :attr:`AnswerSummary.conditions`; none for all trials together.
    proportions : tuple of float
        Of each participant who answered there, in [0, 1].
    n_right, n_answers : int
    low, high : float or None
        95 % interval of the proportion, by drawing participants; None where there are too few of them.
    median_rt_ms : float or None
    """

    condition: tuple[Any, ...]
    proportions: tuple[float, ...]
    n_right: int
    n_answers: int
    low: float | None
    high: float | None
    median_rt_ms: float | None

    @property
    def proportion(self) -> float:
        """Right answers among all, in [0, 1]."""
        return self.n_right / self.n_answers


@final
@dataclass(frozen=True)
class Skipped:
    """Trials of one session that were gone on without, since a stimulus could not be shown."""

    participant: str
    session: int
    task: int
    trials: tuple[int, ...]


@final
@dataclass(frozen=True)
class Timing:
    """How long stimuli were shown that were asked for alike.

    Attributes
    ----------
    asked_ms : float
    n, n_as_asked : int
        Trials, and those with as many refreshes of the screen as were asked for.
    mean_ms, sd_ms : float
        As the page measured it.
    """

    asked_ms: float
    n: int
    n_as_asked: int
    mean_ms: float
    sd_ms: float


@final
@dataclass(frozen=True)
class AnswerSummary:
    """The answers of an experiment in numbers.

    Attributes
    ----------
    kind : str
    n_participants, n_finished, n_included, n_simulated : int
        People (and simulated ones) in the file; of them through all their sessions; of these breaking no rule in any.
    visits : tuple of (int, int, int)
        Of the first, second, … sessions: begun, finished, breaking no rule.
    steps : mapping of str to int
        Where sessions are, or how they ended.
    reasons : mapping of str to int
        Sessions that break which rule, ``unfinished`` among them.
    rules : mapping
        Rules of exclusion that are switched on, and their bounds.
    conditions : tuple of str
        Columns whose values tell the rows of ``by_condition`` apart.
    is_of_included : bool
        Whether accuracy is that of the included; else nobody is, and it is that of everybody.
    overall : ConditionAccuracy or None
        None where no answer is right.
    by_condition : tuple of ConditionAccuracy
        Without trials in which the original stood in for a metamer that was missing.
    n_replaced : int
        How many those are.
    chance : float or None
        Proportion of right answers by guessing; None where it is not known, or where no answer is right.
    is_adaptive : bool
        Whether levels were chosen from the answers.
    n_answers, n_catch, n_catch_correct : int
        Of everybody, catch trials among them.
    skipped : tuple of Skipped
    presentations : mapping of str to (int, int)
        Column to how many answers show it, and of how many it is known.
    timing : tuple of Timing
    """

    kind: str
    n_participants: int
    n_finished: int
    n_included: int
    n_simulated: int
    visits: tuple[tuple[int, int, int], ...]
    steps: Mapping[str, int]
    reasons: Mapping[str, int]
    rules: Mapping[str, Any]
    conditions: tuple[str, ...]
    is_of_included: bool
    overall: ConditionAccuracy | None
    by_condition: tuple[ConditionAccuracy, ...]
    n_replaced: int
    chance: float | None
    is_adaptive: bool
    n_answers: int
    n_catch: int
    n_catch_correct: int
    skipped: tuple[Skipped, ...]
    presentations: Mapping[str, tuple[int, int]]
    timing: tuple[Timing, ...]


_NOT_SHOWN_BY = ("condition", "replaced", "decision", "staircase", "shown")
"""Conditions of plans that say the same as others, or how and not what."""
_MOST_ANSWERS = 30

PRESENTATIONS = {
    "presentations": 1, "presentations_withheld": 0, "stimulus_failures": 0, "stimulus_cut": 0, "window_hidden": 0,
    "dropped_frames": 0, "sound_restarts": 0,
}  # fmt: skip
"""Columns of trials that are counted where they are above this."""


@suggest_keywords
def summarize_responses(responses: Responses) -> AnswerSummary:
    """Count what the tables hold; nothing is left out of it but what it says.

    Parameters
    ----------
    responses : Responses
        Of :func:`read_responses` or :func:`read_export`.
    """
    people: Any = responses.participants
    trials: Any = responses.trials
    finished, included = _count_people(responses)
    main = trials[~_flags(trials["catch_trial"])]
    used = main[~_flags(main["excluded"])]
    is_of_included = len(used) > 0
    used = used if is_of_included else main
    scored = used[used["correct"].notna()]
    names = _pick_conditions(responses, scored)
    replaced = _find_replaced(responses, scored)
    groups = scored[~replaced].groupby(list(names), dropna=False) if names else ()
    rated = len(scored) > 0
    catch = trials[_flags(trials["catch_trial"]) & trials["correct"].notna()]
    steps: Counter[str] = Counter(people["step"].tolist())
    return AnswerSummary(
        kind=responses.kind,
        n_participants=responses.n_participants,
        n_finished=len(finished),
        n_included=len(included),
        n_simulated=people.loc[_flags(people["simulated"]), "participant"].nunique(),
        visits=_count_visits(responses),
        steps=dict(steps.most_common()),
        reasons=dict(Counter(word for words in people["exclusion_reasons"].dropna() for word in words.split())),
        rules={name: bound for name, bound in responses.rules.items() if bound is not None and bound is not False},
        conditions=names,
        is_of_included=is_of_included,
        overall=_measure((), scored) if rated else None,
        by_condition=tuple(sorted((_measure(key, rows) for key, rows in groups), key=_get_order)),
        n_replaced=int(replaced.sum()) if names else 0,
        chance=1 / responses.n_choices if rated and responses.n_choices else None,
        is_adaptive=bool(main["level"].notna().any()),
        n_answers=len(trials),
        n_catch=len(catch),
        n_catch_correct=int(catch["correct"].sum()),
        skipped=_list_skipped(people),
        presentations={
            name: (int((known > above).sum()), len(known))
            for name, above in PRESENTATIONS.items()
            if len(known := trials[name].dropna())
        },
        timing=_list_timing(trials),
    )


def _pick_conditions(responses: Responses, scored: Any) -> tuple[str, ...]:
    """Columns that tell trials apart by what was shown, not by which stimulus: those that vary."""
    form = get_answer_form(responses.kind) if responses.kind in TASK_KINDS else None
    own = [column for name, column in responses.conditions.items() if name not in _NOT_SHOWN_BY and name[-3:] != "_id"]
    varied = [name for name in own if scored[name].nunique(dropna=False) > 1]
    varied = varied or [name for name in ("mode", "layer") if scored[name].nunique(dropna=False) > 1]
    answers = scored["correct_answer"].nunique()
    if form and form.rows and not form.by_place and answers > 1:
        varied.append("correct_answer")  # same or different
    elif not varied and form and form.needs_choices and 1 < answers <= _MOST_ANSWERS:
        varied.append("correct_answer")
    return tuple(varied)


def _find_replaced(responses: Responses, scored: Any) -> np.ndarray:
    column = responses.conditions.get("replaced")
    return np.zeros(len(scored), bool) if column is None else _flags(scored[column].eq(True))


def _get_order(each: ConditionAccuracy) -> list[tuple[Any, ...]]:
    """Numbers by size, also those within names: layer2 comes before layer10."""
    parts: list[tuple[Any, ...]] = []
    for value in each.condition:
        if isinstance(value, int | float):
            parts.append((0, float(value)))
        else:
            words = re.split(r"(\d+)", "" if value is None else str(value))
            parts.append((1, [(int(word), "") if word.isdecimal() else (-1, word) for word in words]))
    return parts


def _flags(column: Any) -> np.ndarray:
    return column.fillna(False).to_numpy(bool)


def _count_people(responses: Responses) -> tuple[set[str], set[str]]:
    """Who is through all sessions; who of them breaks no rule in any."""
    people: Any = responses.participants
    done = people[_flags(people["finished"])]
    finished: Counter[str] = Counter(done["participant"])
    through = {name for name, n in finished.items() if n >= responses.n_visits}
    broken = set(people.loc[_flags(people["excluded"]), "participant"])
    return through, through - broken


def _count_visits(responses: Responses) -> tuple[tuple[int, int, int], ...]:
    people: Any = responses.participants
    counts: list[tuple[int, int, int]] = []
    for visit in range(1, responses.n_visits + 1):
        rows = people[people["visit"] == visit] if responses.n_visits > 1 else people
        counts.append((len(rows), int(_flags(rows["finished"]).sum()), int((~_flags(rows["excluded"])).sum())))
    return tuple(counts)


def _measure(condition: tuple[Any, ...], rows: Any) -> ConditionAccuracy:
    import pandas as pd

    counted: Any = rows.groupby("participant", sort=True)["correct"].agg(["sum", "size"])
    right, n = counted["sum"].to_numpy(int), counted["size"].to_numpy(int)
    low, high = bootstrap_proportion(right, n) if len(n) >= LEAST_PARTICIPANTS else (None, None)
    times = rows["rt_ms"].dropna()
    condition = tuple(None if pd.isna(value) else value for value in condition)
    proportions = tuple((right / n).tolist())
    rt_ms = float(times.median()) if len(times) else None
    return ConditionAccuracy(condition, proportions, int(right.sum()), int(n.sum()), low, high, rt_ms)


def _list_skipped(people: Any) -> tuple[Skipped, ...]:
    rows = people[people["n_skipped"].fillna(0) > 0]
    columns = ("participant", "session", "task", "skipped_trials")
    return tuple(
        Skipped(str(name), int(session), int(task), tuple(int(n) for n in str(trials).split()))
        for name, session, task, trials in zip(*(rows[column] for column in columns), strict=True)
    )


def _list_timing(trials: Any) -> tuple[Timing, ...]:
    """Of single stimuli, and of both of a pair in turn."""
    made: dict[float, list[tuple[float, bool]]] = {}
    for shown, frames in (("stimulus", "stimulus"), ("first", "first"), ("second", "second")):
        names = ["asked_stimulus_ms", f"shown_{shown}_ms", "asked_stimulus_frames", f"{frames}_frames"]
        known: Any = trials[names].dropna().to_numpy(float)
        for asked_ms, shown_ms, asked, n in known:
            made.setdefault(asked_ms, []).append((shown_ms, asked == n))
    return tuple(
        Timing(asked, len(each), sum(same for _, same in each), *_describe([ms for ms, _ in each]))
        for asked, each in sorted(made.items())
    )


def _describe(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
