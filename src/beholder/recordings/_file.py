"""``{name}.recordings.npz``: recordings and RDMs as plain numpy arrays with a hash each.

====================  ===========================================================================================
array                 holds
====================  ===========================================================================================
``head``              JSON: ``format``, ``kind``, ``name``, ``columns``, ``volume_shape``, ``affine``, ``digests``
``values``            as :class:`Recordings` or :class:`RecordedRDMs` have them
``stimulus_ids``      text
``table/{n}``         the n-th column of units or of RDMs; ``columns`` has the names
``times``, ``runs``   where there are such
====================  ===========================================================================================
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError
from beholder._core.files import open_atomic
from beholder._core.hashing import hash_array, to_canonical_json

if TYPE_CHECKING:
    import pandas as pd

SUFFIX = ".recordings.npz"
FORMAT = "beholder-recordings-1"


Parts = tuple[dict[str, Any], dict[str, Any]]
"""The head, with a hash of each array, and the arrays."""


def hash_arrays(head: dict[str, Any], arrays: dict[str, Any], ids: tuple[str, ...], table: pd.DataFrame) -> Parts:
    """The parts of a file, by name."""
    columns = [str(name) for name in table.columns]
    arrays["stimulus_ids"] = np.array(ids, dtype=np.str_)
    for number, name in enumerate(columns):
        column = table[name].to_numpy()
        arrays[f"table/{number}"] = column.astype(np.str_) if column.dtype == object else column
    arrays = {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}
    digests = {name: hash_array(array) for name, array in arrays.items()}
    return {"format": FORMAT, "columns": columns, "digests": digests, **head}, arrays


def write_parts(path: Path | str, parts: Parts) -> Path:
    """Write the file; the same parts give the same bytes."""
    head, arrays = parts
    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise InputError(f"a file name ending in {SUFFIX}", got=path.name)
    with open_atomic(path) as file:
        np.savez(file, head=np.array(to_canonical_json(head)), **arrays)
    return path
