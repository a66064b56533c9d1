"""The growing table ``judgements.parquet`` beside a network's metamers: what other networks say of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from beholder._core.tables import list_rows, write_parquet
from beholder.models import DECISIONS
from beholder.stimuli import read_output_table

if TYPE_CHECKING:
    import pandas as pd

JUDGEMENTS = "judgements.parquet"
NATURAL = ""
"""Stands for the layer in rows about the original."""

_KINDS = {
    "model": "string", "judge": "string", "decision": "string", "layer": "string", "stimulus_id": "string",
    "seed": "int64", "verdict": "string", "reference": "string", "against": "string", "correct": "bool",
    "sha256": "string", "rule": "string", "main": "bool",
}  # fmt: skip
_LATER = ("rule", "main")
JUDGEMENT_COLUMNS = tuple(_KINDS)
"""Columns of the table: a row a judging network, decision, and metamer or original."""


def make_judgement_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """A table of rows with the columns in order and of the right types."""
    import pandas as pd

    columns = {name: [row[name] for row in rows] for name in _KINDS}
    kinds = {"string": "str", "int64": "int64", "bool": "bool"}
    return pd.DataFrame({name: pd.Series(columns[name], dtype=kinds[kind]) for name, kind in _KINDS.items()})


def write_judgement_table(path: Path | str, table: pd.DataFrame) -> None:
    """Write the table as Parquet, by rename; equal tables give equal bytes."""
    write_parquet(path, table, _KINDS)


def read_judgement_table(path: Path | str) -> pd.DataFrame:
    """Read ``judgements.parquet``; tables of the first format counted each judge's first decision for every stimulus.

    Parameters
    ----------
    path : path
        The file, or the folder of metamers that holds it.
    """
    wanted = [name for name in _KINDS if name not in _LATER]
    table = read_output_table(path, JUDGEMENTS, "a table of judgements", wanted, hint="`beholder metamers judge` first")
    if "rule" not in table:
        table["rule"] = ["first" if decision == "category" else "" for decision in table["decision"]]
    if "main" not in table:
        place = table["decision"].map(DECISIONS.index)
        table["main"] = place == place.groupby(table["judge"]).transform("min")
    return make_judgement_table(list_rows(table[list(_KINDS)]))
