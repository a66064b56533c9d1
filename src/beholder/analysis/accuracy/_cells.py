"""Conditions of a set of stimuli: kinds and levels of what was done to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from beholder._core.errors import UnknownNameError
from beholder.evaluation import NaturalAnswers

ALL = "all"
LEVEL_COLUMNS = ("level", "severity")


@final
@dataclass(frozen=True)
class AccuracyCell:
    """Answers that are counted together.

    Attributes
    ----------
    condition : str
        What was done to the stimuli; empty where nothing is told.
    level : float
        How much of it; NaN where there are no levels.
    is_all : bool
        All stimuli, whatever their condition.
    """

    condition: str = ""
    level: float = math.nan
    is_all: bool = False

    @property
    def name(self) -> str:
        """In words.

        >>> AccuracyCell("contrast", 0.05).name, AccuracyCell(is_all=True).name
        ('contrast 0.05', 'all')
        """
        if self.is_all:
            return ALL
        level = "" if math.isnan(self.level) else f"{self.level:g}"
        name = " ".join(word for word in (self.condition, level) if word)
        return f"condition {name}" if name == ALL else name

    def take(self, table: Any) -> Any:
        """Rows of the cell."""
        if self.is_all:
            return table
        own = table[table["condition"] == self.condition]
        return own[own["level"].isna()] if math.isnan(self.level) else own[own["level"] == self.level]

    def to_row(self) -> dict[str, Any]:
        """Columns of a result."""
        return {"target": self.name, "condition": self.condition, "level": None if self.is_all else self.level}

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        level = None if math.isnan(self.level) else self.level
        return {"name": self.name, "condition": self.condition, "level": level, "is_all": self.is_all}


def find_cells(given: NaturalAnswers, by: Sequence[str] | None) -> tuple[Any, list[AccuracyCell]]:
    """The table with the columns ``condition`` and ``level``, and its cells: all stimuli first, then each condition.

    Parameters
    ----------
    given : NaturalAnswers
    by : sequence of str, optional
        Columns of the set that tell conditions apart, in place of those two.

    Raises
    ------
    UnknownNameError
        No such column.
    """
    table: Any = given.table.copy()
    if by is not None:
        known = {str(name).casefold(): values for name, values in given.stimuli.conditions.items()}
        wrong = next((name for name in by if name.casefold() not in known), None)
        if wrong is not None:
            raise UnknownNameError("column of the stimuli", wrong, [str(name) for name in given.stimuli.conditions])
        columns = [known[name.casefold()] for name in by]
        table["condition"] = [" ".join(str(value) for value in row) for row in zip(*columns, strict=True)]
        table["level"] = math.nan
    if "condition" not in table.columns:
        table["condition"] = ""
    if "level" not in table.columns:
        table["level"] = math.nan
    words = _read_levels(given) if by is None else None
    if words is not None:
        table["condition"] = [f"{name} {word}".strip() for name, word in zip(table["condition"], words, strict=True)]
        table["level"] = math.nan
    conditions = list(dict.fromkeys(str(name) for name in table["condition"]))
    cells: list[AccuracyCell] = []
    for name in conditions:
        levels = {float(level) for level in table.loc[table["condition"] == name, "level"]}
        bare = [math.nan] if any(math.isnan(level) for level in levels) else []
        cells += [
            AccuracyCell(name, level) for level in (*bare, *sorted(each for each in levels if not math.isnan(each)))
        ]
    whole = AccuracyCell(is_all=True)
    return table, [whole, *cells] if len(cells) > 1 else [whole]


def _read_levels(given: NaturalAnswers) -> list[str] | None:
    """Levels that are words, such as low and high; None where they are numbers or not told."""
    known = {str(name).casefold(): values for name, values in given.stimuli.conditions.items()}
    values = next((known[name] for name in LEVEL_COLUMNS if name in known), None)
    if values is None:
        return None
    told = ["" if value is None else str(value) for value in values]
    return told if any(word and not _is_number(word) for word in told) else None


def _is_number(word: str) -> bool:
    try:
        return not math.isnan(float(word))
    except ValueError:
        return False
