"""Answers to trials about units: who answered, which unit, right or not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, final

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.hashing import hash_settings
from beholder._core.wording import format_count
from beholder.responses import Trials, is_export, parse_columns, read_export, read_trials, summarize_responses

_BATCH = "batch"


@final
@dataclass(frozen=True, eq=False)
class UnitAnswers:
    """Answers to trials about units.

    Attributes
    ----------
    table : DataFrame
        ``participant, model, layer, unit, mode, trial_key, correct`` and ``confidence`` where it was asked; ``unit`` is
        model/layer/channel, ``trial_key`` the unit with the exemplars that were shown (empty where they are not told).
    left_out : tuple of (str, int)
        Participants: all, finished, included, and how many sessions break which rule; of exports alone.
    sentences : tuple of str
    temperatures : tuple of float
        By which networks chose that took part; of exports alone.
    networks : tuple of str
        Which these were, and by which layer they decided.
    """

    table: Any
    left_out: tuple[tuple[str, int], ...]
    sentences: tuple[str, ...]
    temperatures: tuple[float, ...] = ()
    networks: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """A hash of all answers."""
        names = ("participant", "unit", "mode", "trial_key", "correct")
        return hash_settings({name: [str(each) for each in self.table[name]] for name in names})


@suggest_keywords
def read_unit_answers(
    trials: Any, *, columns: Mapping[str, str] | Sequence[str] | None = None, include_excluded: bool = False
) -> UnitAnswers:
    """Read answers to trials about units, and of exports who is left out.

    Parameters
    ----------
    trials : UnitAnswers, Trials, DataFrame, path or sequence of paths
    columns, include_excluded
        As for :func:`beholder.responses.read_trials`; ``stimulus`` is the batch of exemplars where that is told.

    Raises
    ------
    InputError
        No answer about a unit; answers that are neither right nor wrong.
    """
    if isinstance(trials, UnitAnswers):
        return trials
    paths: list[Path] = []
    if isinstance(trials, Trials):
        found = trials
    else:
        several: list[Any] = list(cast(Any, trials)) if isinstance(trials, list | tuple) else [trials]
        paths = [Path(each) for each in several if isinstance(each, str | Path)]
        found = _read(several, columns, include_excluded)
    table: Any = found.table.copy()
    if "unit" not in table.columns or not (table["unit"] != "").any():
        raise InputError(
            "answers to trials about units (2afc, counterfactual)", got="a table without units",
            hint="--columns unit=… model=… layer=…",
        )  # fmt: skip
    if "correct" not in table.columns:
        raise InputError("answers that are right or wrong", got="a table without correct", hint="--columns correct=…")
    n_all = len(table)
    table = table[table["unit"] != ""].reset_index(drop=True)
    for name in ("model", "layer", "mode", "stimulus"):
        if name not in table.columns:
            table[name] = ""
    parts = zip(table["model"], table["layer"], table["unit"], strict=True)
    table["unit"] = [unit if "/" in unit else f"{model}/{layer}/{unit}" for model, layer, unit in parts]
    shown = zip(table["unit"], table["mode"], table["stimulus"], strict=True)
    table["trial_key"] = [f"{unit} {mode} {stimulus}" if stimulus else "" for unit, mode, stimulus in shown]
    sentences = list(found.sentences)
    if len(table) < n_all:
        sentences.append(f"{n_all - len(table):,} of {format_count(n_all, 'answer')} are about no unit and left out.")
    return UnitAnswers(table, tuple(_count_left_out(paths)), tuple(sentences), *_list_observers(paths))


def _read(paths: Sequence[Any], columns: Any, include_excluded: bool) -> Trials:
    """With the batch of exemplars as the stimulus, where the tables tell it."""
    asked = parse_columns(columns)
    if "stimulus" not in asked:
        try:
            return read_trials(*paths, columns=asked | {"stimulus": _BATCH}, include_excluded=include_excluded)
        except UnknownNameError as error:
            if repr(_BATCH) not in str(error):
                raise
    return read_trials(*paths, columns=asked, include_excluded=include_excluded)


def _count_left_out(paths: Sequence[Path]) -> list[tuple[str, int]]:
    """Of exports: participants, and sessions that break a rule."""
    counts: dict[str, int] = {}
    for path in paths:
        if not (path.is_dir() and is_export(path)):
            continue
        found = summarize_responses(read_export(path))
        told = {"participants": found.n_participants, "finished": found.n_finished, "included": found.n_included}
        for name, n in {**told, **{f"left out by {rule}": n for rule, n in found.reasons.items()}}.items():
            counts[name] = counts.get(name, 0) + n
    return list(counts.items())


def _list_observers(paths: Sequence[Path]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Of exports: temperatures by which networks chose, and which they were with their layers; each once, sorted."""
    temperatures: set[float] = set()
    networks: set[str] = set()
    for path in paths:
        if path.is_dir() and is_export(path):
            people: Any = read_export(path).participants
            temperatures |= set(people["temperature"].dropna().tolist() if "temperature" in people else ())
            if "network" in people:
                layers: Any = people["network_layer"] if "network_layer" in people else [None] * len(people)
                named: list[tuple[Any, Any]] = list(zip(people["network"], layers, strict=True))
                networks |= {
                    name if not isinstance(layer, str) else f"{name}, {layer}"
                    for name, layer in named if isinstance(name, str)
                }  # fmt: skip
    return tuple(sorted(temperatures)), tuple(sorted(networks))


def read_orders(asked: Sequence[str] | None) -> list[list[str]]:
    """Orders of layers: the names that were asked for, or those of stores and tables among them, each its own.

    Parameters
    ----------
    asked : sequence of str, optional
        Names of layers; or paths: activation stores, and tables with a column ``layer``, in the network's order.

    Raises
    ------
    InputError
        Names and paths; a table without that column.
    """
    paths = [word for word in asked or () if Path(word).suffix in (".zarr", ".csv") and Path(word).exists()]
    if not paths:
        return [list(dict.fromkeys(asked))] if asked else []
    other = next((word for word in asked or () if word not in paths), None)
    if other is not None:
        raise InputError("names of layers, or paths to stores and tables", got=f"{paths[0]} and {other!r}")
    return [_read_order(Path(path)) for path in paths]


def _read_order(path: Path) -> list[str]:
    if path.suffix == ".zarr":
        from beholder.activations import open as open_activations

        return list(open_activations(path).layers)
    from beholder._core.tables import read_records

    rows = read_records(path)
    if not rows or "layer" not in rows[0]:
        raise InputError("a table with a column 'layer'", got=f"{path} without")
    return list(dict.fromkeys(row["layer"] for row in rows))


def find_orders(pairs: Sequence[tuple[str, str]], orders: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """The layers of each network in order, over which its depth is counted.

    Parameters
    ----------
    pairs : sequence of (str, str)
        Network and layer, as answers tell them.
    orders : sequence of sequence of str
        The first that has all of a network's layers is its own; without any, layers go by name.

    Raises
    ------
    InputError
        A layer that is in none.

    Examples
    --------
    >>> find_orders([("a", "b10"), ("a", "b9"), ("c", "x")], [])
    {'a': ['b9', 'b10'], 'c': ['x']}
    >>> find_orders([("a", "b10"), ("a", "b9")], [["x"], ["b10", "pool", "b9"]])
    {'a': ['b10', 'pool', 'b9']}
    """
    found: dict[str, list[str]] = {}
    for model in dict.fromkeys(model for model, _ in pairs):
        own = [layer for name, layer in pairs if name == model]
        fitting = next((order for order in orders if set(own) <= set(order)), orders[0] if orders else None)
        found[model] = order_layers(own, fitting)
    return found


def order_layers(names: Sequence[str], asked: Sequence[str] | None) -> list[str]:
    """Layers as asked, else by their names, numbers within them by size.

    Raises
    ------
    InputError
        A layer of the answers that is not among those asked for.

    Examples
    --------
    >>> order_layers(["layer10.0", "layer2.1", "layer2.0"], None)
    ['layer2.0', 'layer2.1', 'layer10.0']
    """
    known = sorted(set(names), key=lambda name: [(int(p), "") if p.isdigit() else (-1, p) for p in _split(name)])
    if asked is None:
        return known
    missing = [name for name in known if name not in asked]
    if missing:
        raise InputError("all layers of the answers in --layers", got=f"none of {', '.join(missing[:5])}")
    return list(dict.fromkeys(asked))


def _split(name: str) -> list[str]:
    return [part for part in re.split(r"(\d+)", name) if part]
