"""Answers as the cells of an analysis of variance: a row a participant, an axis a factor within them."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.wording import format_count
from beholder.responses import read_recognition_matrix

OBSERVERS = ("Human", "Network")
_MOST_NAMED = 5
_NOTHING = ("", "na", "nan", "<na>")
_TRUTHS = {"true": 1.0, "false": 0.0, "": np.nan, "na": np.nan, "<na>": np.nan}


@final
@dataclass(frozen=True, eq=False)
class Design:
    """What an analysis of variance is computed of.

    Attributes
    ----------
    name : str
        Of the data, such as its file.
    values : (n_rows, *n_levels of each factor within), float
    rows : tuple of str
        Participants, or what else was observed.
    within : dict of str to tuple of str
        Factors along the further axes and their levels.
    between : dict of str to tuple of str
        Factors between rows, and the level of each row.
    notes : tuple of str
        Who was left out and why.
    paired : bool
        Whether observers are the pairs of the published form.
    """

    name: str
    values: np.ndarray
    rows: tuple[str, ...]
    within: dict[str, tuple[str, ...]]
    between: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    paired: bool = False

    @property
    def kind(self) -> str:
        """What the design is called: mixed, repeated measures, one-way, two-way, and so on."""
        if self.within:
            return "mixed" if self.between else "repeated measures"
        return {1: "one-way", 2: "two-way"}.get(len(self.between), f"{len(self.between)}-way")

    def list_cells(self) -> list[tuple[dict[str, str], np.ndarray]]:
        """Each combination of levels and the values of its rows, factors between rows outermost."""
        groups = {name: sort_levels(levels) for name, levels in self.between.items()}
        cells: list[tuple[dict[str, str], np.ndarray]] = []
        for own in itertools.product(*groups.values()):
            chosen = np.ones(len(self.rows), dtype=bool)
            for name, level in zip(groups, own, strict=True):
                chosen &= np.array(self.between[name]) == level
            for place in itertools.product(*(range(len(levels)) for levels in self.within.values())):
                names = [levels[k] for levels, k in zip(self.within.values(), place, strict=True)]
                cell = dict(zip([*groups, *self.within], [*own, *names], strict=True))
                cells.append((cell, self.values[(chosen, *place)]))
        return cells


def design_from_file(path: Path, variable: str | None = None, *, paired: bool = False) -> Design:
    """:func:`design_from_matrix` of a matrix in a file, with the names that it holds."""
    read = read_recognition_matrix(path, variable)
    return design_from_matrix(
        read.values, read.name, stages=read.stages, people=read.participants, observers=read.observers, paired=paired
    )


def design_from_matrix(
    values: Any, name: str = "", *, stages: Sequence[str] = (), people: Sequence[str] = (),
    observers: Sequence[str] = OBSERVERS, paired: bool = False,
) -> Design:  # fmt: skip
    """The published form, (n_participants, n_stages, 2); (n_participants, n_stages) is repeated measures.

    Parameters
    ----------
    values : array
    name : str
    stages, people, observers : sequence of str
        What the axes' places are called; default numbers from 1, and human and network.
    paired : bool
        Take the two rows of one participant's stimuli as a pair.

    Raises
    ------
    InputError
        Another shape, names that do not fit it.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 2):
        expected = "participants × stages × [human, network], or participants × stages"
        raise InputError(expected, got=f"shape {array.shape}" + (f" in {name}" if name else ""))
    n, n_stages = array.shape[:2]
    levels = tuple(stages) or tuple(str(k + 1) for k in range(n_stages))
    rows: tuple[str, ...] = tuple(people) or tuple(str(k + 1) for k in range(n))
    if len(levels) != n_stages or len(rows) != n or len(set(levels)) != n_stages:
        raise InputError(
            f"{format_count(n_stages, 'name')} of stages and {n} of participants",
            got=f"{levels} and {format_count(len(rows), 'name')}",
        )
    if array.ndim == 2:
        if paired:
            raise InputError("participants × stages × [human, network] with --paired", got=f"shape {array.shape}")
        return Design(name, array, rows, {"stage": levels}, {})
    first, second = observers
    whole = [bool(np.isfinite(own).all()) for own in array]
    notes: tuple[str, ...] = ()
    if not all(whole):
        lost = [each for each, kept in zip(rows, whole, strict=True) if not kept]
        notes = (f"{format_count(len(lost), 'participant')} of {n} without a value at every stage left out: "
                 f"{_join(lost)}.",)  # fmt: skip
        array, rows = array[whole], tuple(each for each, kept in zip(rows, whole, strict=True) if kept)
        n = len(rows)
    if paired:
        pairs = np.moveaxis(array, 2, 1)
        return Design(name, pairs, rows, {"observer": (first, second), "stage": levels}, {}, notes, paired=True)
    both = np.concatenate([array[:, :, 0], array[:, :, 1]])
    return Design(name, both, rows * 2, {"stage": levels}, {"observer": (first,) * n + (second,) * n}, notes)


def design_from_table(
    table: Mapping[str, Any], value: str, within: Sequence[str], between: Sequence[str], subject: str, name: str = ""
) -> Design:
    """Cells from a table of single answers or values, those of one participant and cell averaged.

    Parameters
    ----------
    table : mapping of str to column
        A row an answer or a value.
    value : str
        Column of what is analysed: numbers, or right and wrong.
    within, between : sequence of str
        Columns of the factors. A participant without a value in every cell within is left out, and named in a note.
    subject : str
        Column of participants. Without factors within, a table may lack it: each row is an observation.
    name : str

    Raises
    ------
    UnknownNameError
        A column that is not there.
    InputError
        No factor, values that are no numbers, a participant in several groups, nobody left.
    """
    if not within and not between:
        raise InputError("a factor: --within or --between with the name of a column", got="neither")
    known = [str(column) for column in table]
    alone = subject not in known and not within
    for column in [value, *within, *between, *([] if alone else [subject])]:
        if column not in known:
            raise UnknownNameError("column", column, known)
    numbers = _read_numbers(table[value], value)
    who = [str(k + 1) for k in range(len(numbers))] if alone else [_to_text(each) for each in table[subject]]
    factors = {column: _read_factor(table[column], column) for column in [*within, *between]}
    keep = np.ones(len(numbers), dtype=bool)
    notes: list[str] = []
    told = {value: np.isfinite(numbers), subject: np.array([bool(each) for each in who])}
    for column, has in (
        told | {name: np.array([bool(each) for each in cells]) for name, cells in factors.items()}
    ).items():
        lost = int((keep & ~has).sum())
        if lost:
            notes.append(f"{format_count(lost, 'row')} without {column} left out.")
        keep &= has
    places = np.flatnonzero(keep)
    people = sort_levels([who[k] for k in places])
    levels = {column: sort_levels([factors[column][k] for k in places]) for column in within}
    groups = {column: _find_groups(column, who, factors[column], places) for column in between}
    for column in [*within, *between]:
        there = sort_levels([factors[column][k] for k in places])
        if len(there) < 2:
            raise InputError(f"at least two levels of {column}", got=f"only {there[0]!r}" if there else "none")
    codes = [np.array([people.index(who[k]) for k in places], dtype=np.int64)]
    codes += [np.array([levels[column].index(factors[column][k]) for k in places]) for column in within]
    shape = (len(people), *(len(each) for each in levels.values()))
    flat = np.ravel_multi_index(tuple(codes), shape) if len(places) else np.empty(0, dtype=np.int64)
    size = int(np.prod(shape))
    counts = np.bincount(flat, minlength=size).reshape(shape)
    sums = np.bincount(flat, numbers[places], minlength=size).reshape(shape)
    whole = np.asarray((counts > 0).reshape(len(people), -1).min(axis=1, initial=True))
    if not whole.all():
        notes.append(_tell_incomplete(people, counts, whole, levels))
    if not whole.any():
        raise InputError("participants with a value in every cell", got=f"none of {len(people)}: {notes[-1]}")
    rows = tuple(each for each, kept in zip(people, whole, strict=True) if kept)
    values = sums[whole] / counts[whole]
    return Design(
        name, values, rows, {column: tuple(each) for column, each in levels.items()},
        {column: tuple(own[each] for each in rows) for column, own in groups.items()}, tuple(notes),
    )  # fmt: skip


def sort_levels(levels: Sequence[str]) -> list[str]:
    """Each level once, numbers in them by size.

    >>> sort_levels(["c10", "c5", "natural", "c5"])
    ['c5', 'c10', 'natural']
    """

    def key(level: str) -> list[tuple[int, float, str]]:
        parts = re.split(r"(\d+(?:\.\d+)?)", level)
        return [(0, float(part), "") if place % 2 else (1, 0.0, part) for place, part in enumerate(parts) if part]

    return sorted(dict.fromkeys(levels), key=key)


def _read_factor(cells: Any, column: str) -> list[str]:
    """Levels as words; nothing where there is none, but for stimuli of no layer, which are the originals."""
    nothing = "original" if column == "layer" else ""
    words = [_to_text(each) for each in cells]
    return [nothing if word.casefold() in _NOTHING else word for word in words]


def _find_groups(column: str, who: list[str], labels: list[str], places: np.ndarray) -> dict[str, str]:
    """The one level of each participant."""
    found: dict[str, str] = {}
    for person, label in [(who[int(k)], labels[int(k)]) for k in places]:
        before = found.setdefault(person, label)
        if before != label:
            raise InputError(
                f"one level of {column} for each participant", got=f"{person} in {before} and {label}",
                hint=f"--within {column}",
            )  # fmt: skip
    return found


def _tell_incomplete(
    people: Sequence[str], counts: np.ndarray, whole: np.ndarray, levels: Mapping[str, Sequence[str]]
) -> str:
    lost = [each for each, kept in zip(people, whole, strict=True) if not kept]
    place = int(np.flatnonzero(~whole)[0])
    cell = np.unravel_index(int(np.argmin(counts[place])), counts.shape[1:])
    where = ", ".join(own[int(k)] for own, k in zip(levels.values(), cell, strict=True))
    return (
        f"{format_count(len(lost), 'participant')} of {len(people)} without a value in every cell left out "
        f"({_join(lost)}; {lost[0]} has none in {where}); a mixed model takes them."
    )


def _join(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")


def _read_numbers(column: Any, name: str) -> np.ndarray:
    """Numbers of cells, NaN where there is none; right and wrong as 1 and 0."""
    found: list[float] = []
    for each in column:
        text = _to_text(each)
        try:
            found.append(_TRUTHS[text.casefold()] if text.casefold() in _TRUTHS else float(text))
        except ValueError:
            raise InputError(f"numbers in the column {name}", got=repr(text)) from None
    return np.array(found, dtype=np.float64)


def _to_text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
