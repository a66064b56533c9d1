"""Several results in one, and each of them taken out again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from beholder.analysis._result import Result, make_result

_PART = "part"


def combine_results(kind: str, parts: Mapping[str, Result], settings: dict[str, Any], notes: tuple[str, ...]) -> Result:
    """One result of several: their rows below one another, told apart by the column ``part``.

    Parameters
    ----------
    kind : str
    parts : mapping of str to Result
        Name of each part to what it found.
    settings : dict
        Of the whole; those of the parts stand in ``parts``.
    notes : tuple of str
        Before the parts' own.
    """
    rows: list[dict[str, Any]] = []
    for name, part in parts.items():
        table: Any = part.table
        rows += [{**row, _PART: name} for row in table.to_dict("records")]
    told = {
        name: {
            "kind": part.kind, "settings": part.settings, "warnings": list(part.warnings),
            "columns": [[str(column), str(dtype)] for column, dtype in part.to_pandas().dtypes.items()],
        }
        for name, part in parts.items()
    }  # fmt: skip
    arrays: dict[str, np.ndarray] = {
        f"{name}.{array}": values for name, part in parts.items() for array, values in part.arrays.items()
    }
    warnings = [*notes, *(warning for part in parts.values() for warning in part.warnings)]
    whole = {**settings, "order": list(parts), "parts": told}
    return make_result(kind, rows, whole, warnings=warnings, arrays=arrays)


def list_parts(result: Result) -> dict[str, Result]:
    """The parts of a result by name, in their order."""
    return {name: take_part(result, name) for name in result.settings["order"]}


def take_part(result: Result, name: str) -> Result:
    """One part, as it was before it was combined."""
    told: dict[str, Any] = result.settings["parts"][name]
    table: Any = result.table
    own = table[table[_PART] == name].reset_index(drop=True)
    columns: dict[str, str] = dict(told["columns"])
    taken = own[list(columns)].astype(columns)
    start = f"{name}."
    arrays = {array.removeprefix(start): values for array, values in result.arrays.items() if array.startswith(start)}
    return Result(told["kind"], taken, told["settings"], tuple(told["warnings"]), arrays)
