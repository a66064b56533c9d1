"""Answers of observers in conditions, counted at each level, and the scale on which a higher level is easier."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder.analysis.people._designs import sort_levels

_CLEAR = 3.0
Scale = Literal["linear", "log"]
Direction = Literal["auto", "rising", "falling"]


@final
@dataclass(frozen=True)
class LevelScale:
    """From levels to numbers that functions are fitted to: logarithms or not, negated where higher is harder."""

    log: bool = False
    falling: bool = False

    def apply(self, levels: Any) -> np.ndarray:
        """Levels as numbers of which higher ones are easier."""
        x = np.asarray(levels, dtype=np.float64)
        if self.log:
            x = np.log10(x)
        return -x if self.falling else x

    def invert(self, x: Any) -> np.ndarray:
        """Back to levels."""
        levels = -np.asarray(x, dtype=np.float64) if self.falling else np.asarray(x, dtype=np.float64)
        return 10**levels if self.log else levels

    def invert_ends(self, low: float, high: float) -> tuple[float, float]:
        """An interval in levels, its lower end first."""
        ends = sorted(float(end) for end in self.invert([low, high]))
        return ends[0], ends[1]


@final
@dataclass(frozen=True, eq=False)
class Counts:
    """Right answers of one observer in one condition.

    Attributes
    ----------
    observer, condition : str
    is_network : bool
    levels : (n_levels,), float, rising
    n_right, n_shown : (n_levels,), int
    """

    observer: str
    condition: str
    is_network: bool
    levels: np.ndarray
    n_right: np.ndarray
    n_shown: np.ndarray

    @property
    def n(self) -> int:
        """Answers."""
        return int(self.n_shown.sum())


def count_levels(table: Mapping[str, Any], by: Sequence[str]) -> list[Counts]:
    """Right answers by observer, condition and level.

    Parameters
    ----------
    table : mapping of str to column
        ``level``, and ``correct`` (a row an answer) or ``n_right`` and ``n_shown`` (a row a level); ``participant``;
        ``network``, whether the observer is one; the columns of ``by``.
    by : sequence of str
        Columns whose combinations are conditions.

    Raises
    ------
    UnknownNameError
        A column that is not there.
    """
    counted = "correct" not in table
    needed = ["level", *(("n_right", "n_shown") if counted else ("correct",)), *by]
    for name in needed:
        if name not in table:
            raise UnknownNameError("column", name, list(table))
    levels = np.array([float(each) for each in table["level"]])
    right = np.array([float(each) for each in table["n_right" if counted else "correct"]])
    shown = np.array([float(each) for each in table["n_shown"]]) if counted else np.ones(len(levels))
    who, conditions, networks = list_observers(table, by)
    known = np.isfinite(levels)
    found: list[Counts] = []
    for observer, condition in sort_observers(who, conditions, networks):
        own = known & (who == observer) & (conditions == condition)
        if own.any():
            places, codes = np.unique(levels[own], return_inverse=True)
            n_shown = np.bincount(codes, shown[own])
            if (n_shown <= 0).any() or (right[own] < 0).any() or (right[own] > shown[own]).any():
                raise InputError("counts of right answers from 0 to those shown", got=f"others of {observer}")
            is_network = bool(networks[who == observer][0])
            found.append(
                Counts(observer, condition, is_network, places, np.bincount(codes, right[own]).round().astype(np.int64),
                       n_shown.round().astype(np.int64))
            )  # fmt: skip
    return found


def list_observers(table: Mapping[str, Any], by: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Observer, condition and whether it is a network, of each row."""
    n = len(next(iter(table.values())))
    who = np.array([str(each) for each in table.get("participant", ["one observer"] * n)])
    parts = [[str(each) for each in table[name]] for name in by]
    conditions = np.array([", ".join(each) for each in zip(*parts, strict=True)]) if parts else np.array([""] * n)
    networks = np.array([bool(each) for each in table.get("network", [False] * n)])
    return who, conditions, networks


def sort_observers(who: np.ndarray, conditions: np.ndarray, networks: np.ndarray) -> list[tuple[str, str]]:
    """Pairs of observer and condition: people first, conditions in order."""
    is_network = {str(name): bool(each) for name, each in zip(who, networks, strict=True)}
    observers = sorted(sort_levels(list(is_network)), key=lambda name: is_network[name])
    return [(observer, condition) for condition in sort_levels(conditions.tolist()) for observer in observers]


def pool_counts(counts: Sequence[Counts], observer: str = "all people") -> Counts:
    """The answers of several observers in one condition, together."""
    levels = np.unique(np.concatenate([each.levels for each in counts]))
    right, shown = np.zeros(len(levels), dtype=np.int64), np.zeros(len(levels), dtype=np.int64)
    for each in counts:
        places = np.searchsorted(levels, each.levels)
        right[places] += each.n_right
        shown[places] += each.n_shown
    return Counts(observer, counts[0].condition, counts[0].is_network, levels, right, shown)


def choose_scale(counts: Sequence[Counts], scale: Scale, direction: Direction) -> LevelScale:
    """Logarithms or not; whether higher levels are harder, by the trend of all answers where it is not told.

    Raises
    ------
    UnknownNameError
        Another scale or direction.
    InputError
        Logarithms of levels that have none.
    """
    if scale not in ("linear", "log"):
        raise UnknownNameError("scale", scale, ["linear", "log"])
    if direction not in ("auto", "rising", "falling"):
        raise UnknownNameError("direction", direction, ["auto", "rising", "falling"])
    least = min(float(each.levels.min()) for each in counts)
    if scale == "log" and least <= 0:
        raise InputError("levels above 0 with --scale log", got=f"{least:g}", hint="--scale linear")
    if direction != "auto":
        return LevelScale(scale == "log", direction == "falling")
    plain = LevelScale(scale == "log")
    trends = {
        condition: _find_trend([each for each in counts if each.condition == condition], plain)
        for condition in dict.fromkeys(each.condition for each in counts)
    }
    rising, falling = max(trends, key=lambda name: trends[name]), min(trends, key=lambda name: trends[name])
    if trends[rising] > _CLEAR and trends[falling] < -_CLEAR:
        raise InputError(
            "levels of which higher ones are easier, or harder, in all conditions",
            got=f"easier in {rising}, harder in {falling}", hint="an analysis for each",
        )  # fmt: skip
    return LevelScale(scale == "log", sum(trends.values()) < 0)


def _find_trend(counts: Sequence[Counts], scale: LevelScale) -> float:
    """Trend of right answers over levels in standard errors (Cochran and Armitage's z); 0 where none can be told."""
    x = np.concatenate([scale.apply(each.levels) for each in counts])
    right = np.concatenate([each.n_right for each in counts]).astype(np.float64)
    shown = np.concatenate([each.n_shown for each in counts]).astype(np.float64)
    share = float(right.sum() / shown.sum())
    x = x - np.average(x, weights=shown)
    spread = math.sqrt(share * (1 - share) * float((shown * x**2).sum()))
    return float(((right - share * shown) * x).sum()) / spread if spread else 0.0
