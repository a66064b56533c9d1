"""What analyses of people are given: files, tables of answers, tables of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.hashing import hash_settings
from beholder._core.tables import read_records
from beholder.analysis._join import identify_input
from beholder.responses import Trials


def list_paths(answers: Any) -> list[Path]:
    """Files or folders, where answers are one path or several; nothing where they are something else."""
    several: list[Any] = list(cast(Any, answers)) if isinstance(answers, list | tuple) else [answers]
    paths = [Path(each) for each in several if isinstance(each, str | Path)]
    return paths if len(paths) == len(several) else []


def is_trial_table(answers: Any) -> bool:
    """Whether this is a DataFrame of single answers, which is read as a file of them is."""
    if not hasattr(answers, "columns"):
        return False
    names = {str(name).casefold() for name in answers.columns}
    return "participant" in names and ("correct" in names or {"truth", "response"} <= names) and "n_right" not in names


def list_columns_of(answers: Any) -> tuple[dict[str, Any], list[str]]:
    """Columns of a table by name, and sentences on how it was read."""
    told = list(answers.sentences) if isinstance(answers, Trials) else []
    table: Any = answers.table if isinstance(answers, Trials) else answers
    if not hasattr(table, "columns") and not hasattr(table, "keys"):
        raise InputError("a table of answers, or files of them", got=type(answers).__name__)
    return {str(name): table[name] for name in table}, told


def identify_columns(table: Mapping[str, Any]) -> str:
    """Hash of the content of columns, in any order, their cells as words."""
    words = {name: np.array([str(cell) for cell in column]) for name, column in table.items()}
    return hash_settings({name: identify_input(column) for name, column in words.items()})


def read_value_table(paths: Sequence[Path | str], columns: Mapping[str, str]) -> dict[str, list[Any]]:
    """Columns of tables with a value a row, one below the other, renamed as asked; names in any case.

    Parameters
    ----------
    paths : sequence of path
        ``.csv``, ``.tsv`` or ``.parquet``, all with the same columns.
    columns : mapping of str to str
        New name to the file's.
    """
    joined: dict[str, list[Any]] = {}
    for path in map(Path, paths):
        found = _read_table(path)
        for new, old in columns.items():
            fitting = [name for name in found if name.casefold() == old.casefold()]
            if len(fitting) != 1:
                raise UnknownNameError(f"column of {path.name}", old, found)
            found[new] = found.pop(fitting[0])
        if joined and set(found) != set(joined):
            other = ", ".join(sorted(set(found) ^ set(joined)))
            raise InputError("tables with the same columns", got=f"{path.name}, which differs in {other}")
        for name, cells in found.items():
            joined.setdefault(name, []).extend(cells)
    if not any(joined.values()):
        raise InputError("a table with at least one row", got=", ".join(map(str, paths)) or "no file")
    return joined


def _read_table(path: Path) -> dict[str, list[Any]]:
    if path.suffix == ".parquet":
        import pandas as pd

        try:
            table: Any = pd.read_parquet(path)  # pyright: ignore[reportUnknownMemberType]
        except (OSError, ValueError) as error:
            raise InputError("a table of values", got=f"{path} ({error})") from error
        return {str(name): table[name].tolist() for name in table.columns}
    if not path.is_file():
        raise InputError("tables of values (.csv, .tsv, .parquet) or matrices (.mat, .npy)", got=f"no file at {path}")
    records = read_records(path, "\t" if path.suffix in (".tsv", ".txt") else ",")
    return {name: [record[name] for record in records] for name in (records[0] if records else {})}
