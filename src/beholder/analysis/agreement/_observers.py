"""Single answers as observers × stimuli, people apart from networks, condition by condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.hashing import hash_settings
from beholder._core.wording import format_count
from beholder.responses import Trials, read_trials

_CORRECT = "correct"
_BATCH = "batch"


@final
@dataclass(frozen=True, eq=False)
class ConditionAnswers:
    """What all observers answered in one condition.

    Attributes
    ----------
    name : str
    stimuli : tuple of str
    correct : (n_observers, n_stimuli), float
        1 right, 0 wrong, NaN not answered; people first, then networks.
    truth : (n_stimuli,), int
        Class of each stimulus; empty where classes are not told.
    answers : (n_observers, n_stimuli), int
        Number of the answer, -1 not answered; empty where classes are not told.
    """

    name: str
    stimuli: tuple[str, ...]
    correct: np.ndarray
    truth: np.ndarray
    answers: np.ndarray


@final
@dataclass(frozen=True, eq=False)
class Observers:
    """People and networks who answered the same stimuli.

    Attributes
    ----------
    people, networks : tuple of str
    conditions : tuple of ConditionAnswers
    classes : tuple of str
        The true classes, then answers that never are right; empty where they are not told.
    n_classes : int
        True classes.
    content : str
        A hash of all answers.
    sentences : tuple of str
        What was read and joined.
    notes : tuple of str
        What was left out.
    """

    people: tuple[str, ...]
    networks: tuple[str, ...]
    conditions: tuple[ConditionAnswers, ...]
    classes: tuple[str, ...]
    n_classes: int
    content: str
    sentences: tuple[str, ...]
    notes: tuple[str, ...]


def open_trials(
    trials: Any, columns: Any = None, id_pattern: str | None = None, include_excluded: bool = False
) -> Trials:
    """Trials as they are, or read from paths.

    Trials about units, which tell no stimulus, are told apart by the unit and the batch of exemplars that was shown.
    """
    if isinstance(trials, Trials):
        return trials
    paths: list[Any] = [trials] if isinstance(trials, str | Path) or hasattr(trials, "columns") else list(trials)
    reading: dict[str, Any] = {"columns": columns, "id_pattern": id_pattern, "include_excluded": include_excluded}
    found = read_trials(*paths, **reading)
    if "stimulus" in found.table.columns or "unit" not in found.table.columns:
        return found
    try:
        again = read_trials(*paths, **reading, further=[_BATCH])
    except UnknownNameError:
        return found
    table: Any = again.table
    parts = [table[name].astype(str) for name in ("unit", "mode", _BATCH) if name in table.columns]
    shown = [" ".join(words) for words in zip(*parts, strict=True)]
    return replace(again, table=table.assign(stimulus=shown).drop(columns=_BATCH))


def collect_observers(trials: Trials, networks: Trials | None, conditions: Sequence[str] | None) -> Observers:
    """All answers of people and networks, by condition.

    Parameters
    ----------
    trials : Trials
        Answers whose ``rule`` is told are a network's, all others a person's.
    networks : Trials, optional
        Answers of networks. A side whose tables tell no condition has those of the other's stimuli.
    conditions : sequence of str, optional
        Default all that people answered in (without people, networks).

    Raises
    ------
    InputError
        Answers that cannot be right or wrong, or without stimuli; a name of a person and a network; no stimulus in
        common; a condition that is not there.
    """
    table = _mark(trials.table, False)
    if networks is not None:
        import pandas as pd

        library: Any = pd
        table = library.concat([table, _mark(networks.table, True)], ignore_index=True)
    of_network: Any = table.groupby("participant", sort=False)["is_network"].nunique()
    both = [str(name) for name in of_network.index[of_network > 1]]
    if both:
        raise InputError("names that are a person's or a network's", got=f"both for {both[0]!r}")
    table, filled = _fill_conditions(table)
    table, untold = _drop_untold(table)
    table, notes = _drop_repeats(table)
    notes = [*filled, *untold, *notes]
    people, nets = (_list_names(table[table["is_network"] == side]) for side in (False, True))
    asked = _choose_conditions(table, conditions, bool(people))
    if conditions is not None:
        table = table[table["condition"].isin(asked)]
    if people and nets:
        table, joined = _join(table)
        notes += joined
    there = {str(name) for name in table["condition"]}
    asked = [name for name in asked if name in there]
    classes, n_classes = _list_classes(table)
    names = (*people, *nets)
    found = [_collect(table[table["condition"] == name], name, names, classes) for name in asked]
    sentences = [*trials.sentences, *(() if networks is None else networks.sentences)]
    answers = [{"c": each.name, "s": each.stimuli, "r": np.nan_to_num(each.correct, nan=-1).tolist()} for each in found]
    content = hash_settings({"observers": names, "answers": answers, "given": [e.answers.tolist() for e in found]})
    return Observers(people, nets, tuple(found), classes, n_classes, content, tuple(sentences), tuple(notes))


def _mark(table: Any, is_network: bool) -> Any:
    """The columns that agreement is about, and whose answers they are."""
    _check(table)
    found: Any = table.copy()
    named = found["rule"].astype(str) != "" if "rule" in found.columns else np.zeros(len(found), dtype=bool)
    found["is_network"] = True if is_network else named
    if "condition" not in found.columns:
        found["condition"] = ""
    return found


def _check(table: Any) -> None:
    if _CORRECT not in table.columns:
        raise InputError(
            "answers that are right or wrong", got="a table without truth or correct",
            hint="--columns truth=…; of odd-one-out and ratings: `beholder analyze rsa STORE --recordings EXPORT`",
        )  # fmt: skip
    if "stimulus" not in table.columns or (table["stimulus"] == "").any():
        raise InputError(
            "the stimulus of every answer, by which observers are joined", got="none", hint="--columns stimulus=…"
        )


def _fill_conditions(table: Any) -> tuple[Any, list[str]]:
    """Networks that tell no condition answered in those in which people saw the stimuli."""
    is_network = table["is_network"].astype(bool)
    untold = (table["condition"] == "").groupby(table["participant"]).transform("all") & is_network
    people: Any = table[~is_network]
    names = {str(name) for name in people["condition"]}
    if not untold.any() or not names - {""}:
        return table, []
    several: Any = people.groupby("stimulus", sort=True)["condition"].nunique()
    ambiguous = sorted({str(name) for name in several.index[several > 1]} & set(table.loc[untold, "stimulus"]))
    if ambiguous:
        raise InputError(
            "conditions in networks' tables, where people saw stimuli in several", got=f"none for {ambiguous[0]!r}",
            hint="--columns condition=…",
        )  # fmt: skip
    known = dict(zip(people["stimulus"], people["condition"], strict=True))
    filled = table["stimulus"].map(known).fillna("")
    who = ", ".join(sorted({str(each) for each in table.loc[untold, "participant"]}))
    whose = f"that of people, {next(iter(names))}" if len(names) == 1 else "those in which people saw the stimuli"
    table = table.assign(condition=table["condition"].where(~untold, filled))
    return table, [f"{who}: no condition told, taken for {whose}."]


def _drop_untold(table: Any) -> tuple[Any, list[str]]:
    """Without answers that tell no condition, where others do."""
    told: Any = table["condition"].astype(str) != ""
    if told.all() or not told.any():
        return table, []
    return table[told], [f"{format_count(int((~told).sum()), 'answer')} without a condition left out."]


def _drop_repeats(table: Any) -> tuple[Any, list[str]]:
    """First answers alone."""
    again: Any = table.duplicated(["participant", "condition", "stimulus"])
    if not again.any():
        return table, []
    n = int(again.sum())
    return table[~again], [f"{format_count(n, 'answer')} to stimuli that the observer had answered before left out."]


def _list_names(table: Any) -> tuple[str, ...]:
    return tuple(sorted({str(name) for name in table["participant"]}))


def _choose_conditions(table: Any, asked: Sequence[str] | None, has_people: bool) -> list[str]:
    side: Any = table[~table["is_network"]] if has_people else table
    known = list(dict.fromkeys(str(name) for name in side["condition"]))
    if asked is None:
        return sorted(known, key=_get_order)
    for name in asked:
        if name not in known:
            raise InputError(f"conditions among {', '.join(known[:12])}", got=name)
    return list(dict.fromkeys(asked))


def _get_order(name: str) -> tuple[int, float, str]:
    """Numbers by size."""
    digits = name.lstrip("cC")
    try:
        return 0, float(digits), name
    except ValueError:
        return 1, 0.0, name


def _join(table: Any) -> tuple[Any, list[str]]:
    """Stimuli that people and networks both answered, in the same condition."""
    keys: Any = table["condition"] + "\n" + table["stimulus"]
    of_people, of_nets = (set(keys[table["is_network"] == side]) for side in (False, True))
    common = of_people & of_nets
    if not common:
        one, two = (min(side) for side in (of_people, of_nets))
        same = {key.split("\n")[1] for key in of_people} & {key.split("\n")[1] for key in of_nets}
        places = [key.split("\n") for key in (one, two)]
        shown = [f"{stimulus!r}" + (f" in {condition!r}" if same else "") for condition, stimulus in places]
        raise InputError(
            "stimuli that people and networks both answered" + (", in the same condition" if same else ""),
            got=f"none: {shown[0]} of people, {shown[1]} of networks",
            hint="conditions of one name, or none" if same else "--id_pattern, whose group is the stimulus's own name",
        )
    notes = [
        f"{n:,} {'stimulus' if n == 1 else 'stimuli'} that only {who} answered left out."
        for who, n in (("people", len(of_people - common)), ("networks", len(of_nets - common)))
        if n
    ]
    return table[keys.isin(common)], notes


def _list_classes(table: Any) -> tuple[tuple[str, ...], int]:
    """True classes, then answers that never are right."""
    if "truth" not in table.columns or "response" not in table.columns or (table["truth"] == "").any():
        return (), 0
    true = sorted({str(each) for each in table["truth"]})
    further = sorted({str(each) for each in table["response"]} - set(true))
    return (*true, *further), len(true)


def _collect(table: Any, name: str, observers: Sequence[str], classes: Sequence[str]) -> ConditionAnswers:
    stimuli = tuple(sorted({str(each) for each in table["stimulus"]}))
    column = {stimulus: place for place, stimulus in enumerate(stimuli)}
    row = {observer: place for place, observer in enumerate(observers)}
    rows = np.array([row[str(each)] for each in table["participant"]], dtype=np.int64)
    columns = np.array([column[str(each)] for each in table["stimulus"]], dtype=np.int64)
    correct = np.full((len(observers), len(stimuli)), np.nan)
    correct[rows, columns] = table[_CORRECT].astype(float)
    if not classes:
        return ConditionAnswers(name, stimuli, correct, np.empty(0, np.int64), np.empty((0, 0), np.int64))
    number = {each: place for place, each in enumerate(classes)}
    truths = np.array([number[str(each)] for each in table["truth"]], dtype=np.int64)
    truth = np.full(len(stimuli), -1, dtype=np.int64)
    truth[columns] = truths
    unlike = np.flatnonzero(truth[columns] != truths)
    if len(unlike):
        shown = stimuli[int(columns[unlike[0]])]
        raise InputError("one right answer for each stimulus", got=f"two for {shown!r}", hint="another --id_pattern")
    answers = np.full(correct.shape, -1, dtype=np.int64)
    answers[rows, columns] = [number[str(each)] for each in table["response"]]
    return ConditionAnswers(name, stimuli, correct, truth, answers)
