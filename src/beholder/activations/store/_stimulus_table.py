"""Reading a store's table of stimuli: columns, and conditions by their exact names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from beholder._core.files import to_path_name
from beholder.activations.store._arrays import COLUMNS, CONDITIONS, open_member, read_small_column


def read_stimuli(root: zarr.Group, store: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The columns of the table of stimuli, and the conditions, each (n_stimuli,).

    Stores of the first version had the conditions among the columns, under names made fit for paths.

    Raises
    ------
    DamagedOutput
        A column cannot be read.
    """
    group = open_member(root, store, "stimuli")
    names: Any = root.attrs.get("stimulus_columns", ["id"])
    columns = {name: read_small_column(group, store, f"stimuli/{to_path_name(name)}") for name in names}
    found = {name: np.asarray(column) for name, column in columns.items() if column is not None}
    told: Any = root.attrs.get("stimulus_conditions")
    if told is None:
        own = {name: column for name, column in found.items() if name in COLUMNS}
        return own, {name: column for name, column in found.items() if name not in own}
    conditions = {}
    for place, name in enumerate(told):
        inside = open_member(root, store, f"stimuli/{CONDITIONS}")
        conditions[str(name)] = np.asarray(read_small_column(inside, store, f"stimuli/{CONDITIONS}/{place}"))
    return found, conditions
