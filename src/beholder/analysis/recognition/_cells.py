"""The cells that answers are counted in: conditions, levels, layers of metamers, in order."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.wording import format_count
from beholder.analysis.recognition._answers import ORIGINALS

ALL = "all"
_GROUPS = (
    "model",
    "layer",
    "condition",
    "level",
    "truth",
    "unit",
    "mode",
    "texture",
    "source",
    "session",
    "confidence",
)
_MOST_CELLS = 400


@final
@dataclass(frozen=True)
class Cell:
    """One way in which stimuli were shown.

    Attributes
    ----------
    key : str
        Its values, by which answers are filed.
    generator : str
        The network that the stimuli were made for; empty where there is none.
    layer : str
    target : str
        The other values in words.
    level : float
        NaN where there is none.
    condition : str
        Its value alone.
    """

    key: str
    generator: str = ""
    layer: str = ""
    target: str = ""
    level: float = math.nan
    condition: str = ""

    @property
    def stage(self) -> str:
        """What stands on the axis."""
        return self.layer or self.target or ALL

    @property
    def is_original(self) -> bool:
        """Whether it is that of the stimuli that others were made from."""
        return is_original(self.layer) if self.layer else False

    def to_words(self) -> dict[str, str]:
        """What pictures need to know."""
        words = {"generator": self.generator, "layer": self.layer, "target": self.target, "stage": self.stage}
        values = self.key.split("\n")
        if self.generator or self.layer or len(values) < 2:
            return {**words, "panel": "", "place": self.stage}
        return {**words, "panel": ", ".join(values[:-1]), "place": values[-1]}

    def to_row(self) -> dict[str, Any]:
        """Its columns in a result."""
        own = {"condition": self.condition, "level": self.level}
        return {"layer": self.layer, "target": self.target, "generator": self.generator, **own}


EVERY = Cell("", target=ALL)
"""All answers together."""


def with_all(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, and all of them together."""
    return [cell for cell in cells if cell is not EVERY] + [EVERY]


def is_original(name: str) -> bool:
    """Whether a layer's name stands for the natural stimulus.

    >>> is_original("natural_image"), is_original("layer1")
    (True, False)
    """
    return name in ORIGINALS or name.startswith("natural_")


def choose_by(table: Any, asked: Sequence[str] | None) -> list[str]:
    """Columns that tell cells apart: as asked, else network and layer, level, or condition, where they vary.

    Raises
    ------
    UnknownNameError
        A column that is not there.
    """
    known = [name for name in _GROUPS if name in table.columns]
    if asked is not None:
        for name in asked:
            if name not in known and name not in table.columns:
                raise UnknownNameError("column of the answers", name, known)
        return list(dict.fromkeys(asked))
    varied = [name for name in known if table[name].nunique(dropna=False) > 1]
    if "layer" in varied:
        return [name for name in ("model", "layer") if name in varied or name == "layer"]
    if "level" in varied:
        both = "condition" in varied and bool((table.groupby("level")["condition"].nunique() > 1).any())
        return ["condition", "level"] if both else ["level"]
    return ["condition"] if "condition" in varied else []


def leave_out_untold(table: Any, by: Sequence[str], whose: str) -> tuple[Any, list[str]]:
    """Answers that tell where they belong, and a note on the others.

    Originals have neither network nor layer, and need no level where another column tells them.
    """
    names = [name for name in by if name not in ("model", "layer")]
    alone = len(by) == 1
    lacks = np.zeros(len(table), dtype=bool)
    lacking: list[str] = []
    for name in names if len(table) else ():
        own = np.array([to_word(value) == "" for value in table[name]]) if name in table.columns else lacks
        if own.any() and not own.all() and (alone or name != "level"):
            lacks |= own
            lacking.append(name)
    if not lacks.any():
        return table, []
    words = f"{format_count(int(lacks.sum()), 'answer')} of {whose} without {' or '.join(lacking)} left out."
    return table[~lacks].reset_index(drop=True), [words]


def file_answers(table: Any, by: Sequence[str]) -> Any:
    """The table with the key of each answer's cell in ``cell``."""
    columns = [[to_word(value) for value in table[name]] for name in by]
    keys = ["\n".join(words) for words in zip(*columns, strict=True)] if columns else [""] * len(table)
    return table.assign(cell=keys)


def list_cells(tables: Sequence[Any], by: Sequence[str], stages: Sequence[str] | None) -> list[Cell]:
    """The cells that hold answers, in order; without columns that tell them apart, all answers.

    Parameters
    ----------
    tables : sequence of DataFrame
        As :func:`file_answers` gives them.
    by : sequence of str
    stages : sequence of str, optional
        Values of the last of ``by`` that are wanted, in order; default all: numbers by size, originals first.

    Raises
    ------
    UnknownNameError
        A stage without answers.
    InputError
        More cells than anybody can read.
    """
    if not by:
        return [EVERY]
    keys = list(dict.fromkeys(key for table in tables for key in table["cell"]))
    if stages is not None:
        known = list(dict.fromkeys(key.split("\n")[-1] for key in keys))
        for stage in stages:
            if stage not in known:
                raise UnknownNameError(f"{by[-1]} of the answers", stage, known)
        places = {stage: k for k, stage in enumerate(stages)}
        keys = [key for key in keys if key.split("\n")[-1] in places]
        keys.sort(key=lambda key: ([_get_order(word) for word in key.split("\n")[:-1]], places[key.split("\n")[-1]]))
    else:
        keys.sort(key=lambda key: [_get_order(word) for word in key.split("\n")])
    if len(keys) > _MOST_CELLS:
        raise InputError(f"at most {_MOST_CELLS} conditions", got=f"{len(keys):,} by {', '.join(by)}", hint="--by")
    return [_make_cell(key, by) for key in keys]


def _make_cell(key: str, by: Sequence[str]) -> Cell:
    values = dict(zip(by, key.split("\n"), strict=True))
    level = math.nan
    if values.get("level"):
        level = float(values["level"])
    words = [value for name, value in values.items() if name not in ("model", "layer") and value]
    return Cell(
        key, values.get("model", ""), values.get("layer", ""), ", ".join(words), level, values.get("condition", "")
    )


def to_word(value: Any) -> str:
    """A value of a condition in words.

    >>> to_word(0.1), to_word(30.0), to_word("edge"), to_word(float("nan"))
    ('0.1', '30', 'edge', '')
    """
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:g}"
    return str(value)


def _get_order(word: str) -> tuple[int, float, list[tuple[int, str]]]:
    """Originals first, then numbers by size, then words, numbers in them by size."""
    if is_original(word):
        return 0, 0.0, []
    try:
        return 1, float(word), []
    except ValueError:
        parts = [part for part in re.split(r"(\d+)", word) if part]
        return 2, 0.0, [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
