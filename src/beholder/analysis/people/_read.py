"""Files that analyses of people are computed of: matrices of proportions, tables of values, tables of single answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.tables import read_records
from beholder.analysis.people._designs import OBSERVERS, Design, design_from_matrix

MATRICES = (".mat", ".npy")
_NAMES = {"stages": "model_layers", "people": "participants", "observers": "conditions"}
"""Variables of the published files that name the places of a matrix's axes."""


def read_matrix(path: Path | str, variable: str | None = None, *, paired: bool = False) -> Design:
    """The design of a matrix in a file: ``.mat`` in the published form, or ``.npy``.

    Parameters
    ----------
    path : path
    variable : str, optional
        Which array of a ``.mat`` file with several.
    paired : bool

    Raises
    ------
    InputError
        A file without such a matrix, or with several.
    """
    path = Path(path)
    expected = "a matrix participants × stages × [human, network]"
    try:
        content = _load(path)
    except (OSError, ValueError, NotImplementedError, TypeError, EOFError) as error:
        raise InputError(f"{expected} in a .mat file of version 5, or .npy", got=f"{path} ({error})") from error
    names = [name for name, value in content.items() if value.dtype.kind in "biuf" and value.ndim == 3]
    if variable is None:
        names = names or [name for name, value in content.items() if value.dtype.kind in "biuf" and value.ndim == 2]
        if len(names) != 1:
            told = ", ".join(names) or "none"
            raise InputError(expected, got=f"{path} with {told}", hint="--variable NAME" if names else None)
        variable = names[0]
    elif variable not in content:
        raise UnknownNameError(f"variable of {path.name}", variable, content)
    matrix = content[variable]
    told = {name: [str(each).strip() for each in content[key].ravel()] for name, key in _NAMES.items() if key in content}
    stages, people = told.get("stages", []), told.get("people", [])
    observers = told.get("observers", [])
    return design_from_matrix(
        matrix, path.stem,
        stages=stages if matrix.ndim > 1 and len(stages) == matrix.shape[1] else (),
        people=people if len(people) == len(matrix) else (),
        observers=observers if len(set(observers)) == len(OBSERVERS) else OBSERVERS, paired=paired,
    )  # fmt: skip


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


def _load(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".npy":
        return {path.stem: np.load(path, allow_pickle=False)}
    import scipy.io

    read: Mapping[str, Any] = scipy.io.loadmat(path)
    return {name: np.asarray(value) for name, value in read.items() if not name.startswith("__")}


def _read_table(path: Path) -> dict[str, list[Any]]:
    if path.suffix == ".parquet":
        import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

        try:
            table: Any = pd.read_parquet(path)  # pyright: ignore[reportUnknownMemberType]
        except (OSError, ValueError) as error:
            raise InputError("a table of values", got=f"{path} ({error})") from error
        return {str(name): table[name].tolist() for name in table.columns}
    if not path.is_file():
        raise InputError("tables of values (.csv, .tsv, .parquet) or matrices (.mat, .npy)", got=f"no file at {path}")
    records = read_records(path, "\t" if path.suffix in (".tsv", ".txt") else ",")
    return {name: [record[name] for record in records] for name in (records[0] if records else {})}
