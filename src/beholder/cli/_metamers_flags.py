"""Flags and tables of the commands of ``beholder metamers``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder._core.tables import list_rows
from beholder.cli._flags import ModelName, WeightsSeed, align, flags, look_up
from beholder.cli._model_flags import ModelFlags

if TYPE_CHECKING:
    import pandas as pd

    from beholder.models import Model

SEED_NAMES = ["-R", "--RANDOMSEED", "--rnd-seed", "--seed", "-rs"]


@flags
class FirstWordFlags(ModelFlags):
    """Which network, where the first word names it unless a flag does."""

    model_name: ModelName = None
    """The network, in place of the first word."""
    directory: Annotated[str | None, Parameter(name=["-D", "--directory", "--DIRECTORY"])] = None
    """A model directory with a build_network.py: the network is taken from it, everything goes under it."""
    weights_seed: WeightsSeed = 42
    """Seed of the weights of a network whose name ends in @random."""

    def take(self, words: Sequence[str], usage: str) -> tuple[FirstWordFlags, list[str]]:
        """The first word is the network, where none is named otherwise; and the other words."""
        first, rest = next(iter(words), ""), list(words)
        if self.model_name or (self.directory and (not rest or first.isdigit() or Path(first).exists())):
            self.name_model()
            return self, rest
        if not rest:
            raise InputError(usage, got="neither a network nor -D")
        return dataclasses.replace(self, model_name=look_up(first)), rest[1:]

    def open(self) -> Model:
        """The network, ready to run."""
        return self.load(seed=self.weights_seed)


def to_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as records for JSON: empty cells, infinities and NaN as null."""
    return [{str(key): to_plain(value) for key, value in row.items()} for row in list_rows(table)]


def to_plain(value: Any) -> Any:
    """A value for JSON."""
    import numpy as np
    import pandas as pd

    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def align_records(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[str]:
    """Records as a table in plain text."""
    return align([columns, *([_format(row[name]) for name in columns] for row in rows)])


def _format(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
