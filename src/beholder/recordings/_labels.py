"""Tables of what recordings have along an axis: units, or RDMs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.wording import format_count

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("subject", "region")
"""Columns that every table has, empty where nothing is known."""

_ALIASES = {
    "subject": ("subj", "sub", "participant", "participant_id", "subject_id", "subj_idx", "animal"),
    "region": ("roi", "area", "roi_name"),
}

Choice = str | Sequence[str] | None
MASK = "mask"
"""In place of a column: each of the overlapping masks that columns ``in_{name}`` tell of."""


def check_ids(stimulus_ids: Any, n_stimuli: int, hint: str | None = None) -> tuple[str, ...]:
    """Ids of stimuli as texts, one a row and none twice.

    Raises
    ------
    InputError
        Which ids occur more than once, with how often; how many there are and should be.
    """
    if isinstance(stimulus_ids, str):
        raise InputError("a sequence of stimulus ids", got=f"the text {stimulus_ids!r}")
    ids = tuple(str(each) for each in stimulus_ids)
    if len(ids) != n_stimuli:
        raise InputError(f"{n_stimuli} stimulus ids, one a row of values", got=f"{len(ids)}")
    counts: dict[str, int] = {}
    for each in ids:
        counts[each] = counts.get(each, 0) + 1
    if "" in counts:
        raise InputError("an id for every stimulus", got=f"{counts['']} of {n_stimuli} empty")
    twice = {each: n for each, n in counts.items() if n > 1}
    if twice:
        raise InputError("each stimulus id once", got=_count_names(twice), hint=hint)
    return ids


def _count_names(counts: Mapping[str, int], most: int = 5) -> str:
    shown = ", ".join(f"{name!r} {n} times" for name, n in list(counts.items())[:most])
    return shown + (f" and {len(counts) - most} more" if len(counts) > most else "")


def list_names(names: Collection[Any], most: int = 5) -> str:
    """The first of some names, and how many more there are."""
    shown = ", ".join(str(name) for name in list(names)[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def make_table(table: Any, n_rows: int, what: str) -> pd.DataFrame:
    """A table of its own with the columns of :data:`LABELS`, texts without gaps, numbered from 0.

    ``roi`` and ``area`` become ``region``; ``subj``, ``participant``, ``animal`` and the like ``subject``.

    Parameters
    ----------
    table : DataFrame, mapping of columns, or None
    n_rows : int
    what : str
        What a row is, in the plural.
    """
    import pandas as pd

    made = pd.DataFrame() if table is None else pd.DataFrame(table).reset_index(drop=True)
    if not len(made.columns):
        made = pd.DataFrame(index=range(n_rows))
    if len(made) != n_rows:
        raise InputError(f"a row for each of {n_rows} {what}", got=format_count(len(made), "row"))
    made = made.rename(columns=str)
    for name, others in _ALIASES.items():
        other = next((each for each in others if each in made.columns), None)
        if name not in made.columns and other is not None:
            made = made.rename(columns={other: name})
    columns: dict[str, Any] = {}
    for name in (*LABELS, *(column for column in made.columns if column not in LABELS)):
        column = made[name] if name in made.columns else pd.Series([""] * n_rows)
        if isinstance(column, pd.DataFrame):
            raise InputError(f"each column of the table of {what} once", got=f"{name!r} more than once")
        columns[name] = _clean(column, text=name in LABELS)
    return pd.DataFrame(columns)


def _clean(column: Any, *, text: bool) -> np.ndarray:
    """Numbers and truth values as they are, everything else as texts, gaps empty."""
    import pandas as pd

    if not text and (pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column)):
        plain = column.isna().any() or column.dtype.kind not in "biuf"
        return column.to_numpy(dtype=np.float64, na_value=np.nan) if plain else column.to_numpy()
    return np.array(["" if pd.isna(each) else _word(each) for each in column], dtype=object)


def _word(value: Any) -> str:
    if isinstance(value, (bytes, np.bytes_)):
        return value.decode("utf-8", "replace")
    number: Any = value
    if isinstance(value, (float, np.floating)) and float(number).is_integer():
        return str(int(number))
    return str(number)


def choose_rows(table: pd.DataFrame, wanted: Mapping[str, Choice], what: str) -> np.ndarray:
    """Which rows have one of the wanted values in each column, (n_rows,) bool; at least one has.

    Raises
    ------
    UnknownNameError
        No row has a value that was asked for.
    InputError
        Each value is there, but no row has all of them.
    """
    chosen = np.ones(len(table), dtype=bool)
    for column, choice in wanted.items():
        if choice is None:
            continue
        found = table[column].astype(str).to_numpy()
        values = [choice] if isinstance(choice, str) else [str(each) for each in choice]
        masks = list_masks(table) if column == "region" else {}
        known = dict.fromkeys([*found.tolist(), *masks])
        inside = np.isin(found, values)
        for value in values:
            if value not in known:
                raise UnknownNameError(f"{column} of these recordings", value, [name for name in known if name])
            if value in masks:
                inside |= table[masks[value]].to_numpy(dtype=bool)
        chosen &= inside
    if not chosen.any():
        shown = ", ".join(f"{column} {choice!r}" for column, choice in wanted.items() if choice is not None)
        raise InputError(f"{what} of that description", got=f"none with {shown}")
    return chosen


def list_masks(table: pd.DataFrame) -> dict[str, str]:
    """Names of overlapping masks to their columns, ``in_{name}``, of truths."""
    found = [str(each) for each in table.columns if str(each).startswith("in_") and table[each].dtype == bool]
    return {name.removeprefix("in_"): name for name in found}


def iter_groups(table: pd.DataFrame, columns: str | Sequence[str]) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Each combination of values in some columns, in order of first appearance, with its rows, (n_rows,) bool.

    ``mask`` stands for the columns ``in_{name}`` of a table that has no column of this name: each mask has the rows in
    it, and a row may be in several.
    """
    names = [columns] if isinstance(columns, str) else list(columns)
    masks = list_masks(table)
    if MASK in names and MASK not in table.columns and masks:
        others = [name for name in names if name != MASK]
        for mask, column in masks.items():
            inside = table[column].to_numpy(dtype=bool)
            for labels, chosen in iter_groups(table, others):
                if (chosen & inside).any():
                    yield {name: mask if name == MASK else labels[name] for name in names}, chosen & inside
        return
    for name in names:
        if name not in table.columns:
            raise UnknownNameError("column of these recordings", name, [str(each) for each in table.columns])
    if not names:
        yield {}, np.ones(len(table), dtype=bool)
        return
    keys = list(zip(*(table[name].tolist() for name in names), strict=True))
    rows: dict[tuple[Any, ...], list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    for key, found in rows.items():
        chosen = np.zeros(len(table), dtype=bool)
        chosen[found] = True
        yield dict(zip(names, key, strict=True)), chosen


def find_positions(wanted: Sequence[str], known: Sequence[str]) -> np.ndarray:
    """Where ids stand, in the order they are wanted in.

    Raises
    ------
    UnknownNameError
        For an id that is not there.
    """
    places = {name: place for place, name in enumerate(known)}
    for name in wanted:
        if name not in places:
            raise UnknownNameError("stimulus of these recordings", name, known)
    return np.array([places[name] for name in wanted], dtype=np.intp)
