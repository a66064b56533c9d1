"""People and networks joined by stimulus and by how it was shown, as far as each network tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beholder._core.errors import InputError
from beholder._core.wording import format_count

SHOWN = ("model", "layer", "condition", "level")
"""Columns that tell how a stimulus was shown."""
_PATTERN_HINT = "--id_pattern, whose group is the stimulus's own name"
_MOST_NAMED = 3
Shown = dict[str, tuple[str, ...]]
"""Network to the columns of :data:`SHOWN` that it and people tell."""


def is_told(table: Any, name: str) -> bool:
    """Whether a column is there and holds anything."""
    return name in table.columns and any(str(value) not in ("", "nan") for value in table[name].unique())


def make_keys(table: Any, shown: Sequence[str]) -> list[str]:
    """Stimulus and how it was shown, of each answer; empty where stimuli are not told."""
    if "stimulus" not in table.columns:
        return [""] * len(table)
    columns = [[str(value) for value in table[name]] for name in ("stimulus", *shown)]
    return ["\n".join(words) for words in zip(*columns, strict=True)]


def name_key(shown: Sequence[str]) -> str:
    """Column of people's keys that go with some columns."""
    return " ".join(("key", *shown))


def join_answers(people: Any, networks: Any) -> tuple[Any, Any, Shown, bool, list[str], list[str]]:
    """Join people and networks.

    Parameters
    ----------
    people, networks : DataFrame

    Returns
    -------
    people : DataFrame
        With a column of keys for each set of columns that networks tell.
    networks : DataFrame
        With ``key``; answers to what people were shown, where both tell stimuli.
    shown : dict of str to tuple of str
    is_joined : bool
    told, notes : list of str

    Raises
    ------
    InputError
        No network answered anything that people were shown.
    """
    names = list(dict.fromkeys(str(name) for name in networks["participant"])) if len(networks) else []
    own = {name: networks[networks["participant"] == name] for name in names}
    shown: Shown = {
        name: tuple(each for each in SHOWN if is_told(table, each) and (not len(people) or is_told(people, each)))
        for name, table in own.items()
    }
    own = {name: table.assign(key=make_keys(table, shown[name])) for name, table in own.items()}
    if not names or not len(people):
        return people, _concat(list(own.values()), networks), shown, False, [], []
    if not all("stimulus" in part.columns and (part["stimulus"] != "").all() for part in (people, networks)):
        note = "Stimuli are not told on both sides, so that networks are not scored on the very stimuli of people."
        return people, _concat(list(own.values()), networks), shown, False, [], [note]
    for each in dict.fromkeys(shown.values()):
        people = people.assign(**{name_key(each): make_keys(people, each)})
    counts: dict[str, tuple[int, int, int]] = {}
    kept: list[Any] = []
    for name, table in own.items():
        of_people, of_network = set(people[name_key(shown[name])]), set(table["key"])
        counts[name] = (len(of_people & of_network), len(of_people), len(of_network))
        kept.append(table[table["key"].isin(of_people)])
    lost = [name for name in names if not counts[name][0]]
    if len(lost) == len(names):
        _refuse(people, own[names[0]], shown[names[0]])
    notes = [
        f"{name} answered no stimulus that people were shown in the same way and is left out: its are such as "
        f"{own[name]['stimulus'].iloc[0]!r}."
        for name in lost
    ]
    return (
        people,
        _concat(kept, networks),
        {n: s for n, s in shown.items() if n not in lost},
        True,
        _tell(counts),
        notes,
    )


def _concat(parts: Sequence[Any], empty: Any) -> Any:
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

    library: Any = pd
    return library.concat(parts, ignore_index=True) if parts else empty


def _tell(counts: dict[str, tuple[int, int, int]]) -> list[str]:
    """How many joined: once where it is the same for all networks."""
    told = {name: each for name, each in counts.items() if each[0]}
    if len(set(told.values())) == 1 and len(told) > 1:
        told = {"each network": next(iter(told.values()))}
    lines = [
        f"{format_count(n, 'stimulus')} as shown in common: {n:,} of "
        f"{of_people:,} of people, {n:,} of {of_network:,} of {name}."
        for name, (n, of_people, of_network) in list(told.items())[:_MOST_NAMED]
    ]
    more = len(told) - len(lines)
    return [*lines, f"And so on for {format_count(more, 'more network')}."] if more else lines


def _refuse(people: Any, network: Any, shown: Sequence[str]) -> None:
    same = set(people["stimulus"]) & set(network["stimulus"])
    parts: list[str] = []
    for table in (people, network):
        row = table.iloc[0]
        parts.append(f"{row['stimulus']!r}" + (f" ({', '.join(f'{n} {row[n]}' for n in shown)})" if same else ""))
    raise InputError(
        "stimuli that people and networks both answered" + (", shown alike" if same else ""),
        got=f"none: {' and '.join(parts)}",
        hint=f"the same {' and '.join(shown)} in both" if same else _PATTERN_HINT,
    )
