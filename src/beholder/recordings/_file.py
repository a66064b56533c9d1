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

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import DamagedOutput, InputError
from beholder._core.files import open_atomic
from beholder._core.hashing import hash_array, hash_settings, to_canonical_json
from beholder._core.narrowing import is_json_object
from beholder.recordings._rdms import RecordedRDMs
from beholder.recordings._recordings import Recordings

if TYPE_CHECKING:
    import pandas as pd

SUFFIX = ".recordings.npz"
FORMAT = "beholder-recordings-1"


def write_recordings(path: Path | str, recordings: Recordings) -> Path:
    """Write recordings; the same ones give the same bytes."""
    return _write(path, *_take_apart(recordings))


def write_rdms(path: Path | str, rdms: RecordedRDMs) -> Path:
    """Write RDMs; the same ones give the same bytes."""
    return _write(path, *_take_apart(rdms))


def hash_recordings(recordings: Recordings | RecordedRDMs) -> str:
    """What recordings hold, values, ids, table and all, as a hash; their name does not count."""
    head, _ = _take_apart(recordings)
    return hash_settings({**head, "name": ""})


def _take_apart(recordings: Recordings | RecordedRDMs) -> tuple[dict[str, Any], dict[str, Any]]:
    """The head, with a hash of each array, and the arrays."""
    if isinstance(recordings, RecordedRDMs):
        head: dict[str, Any] = {"kind": "rdms", "name": recordings.name}
        return _hash_arrays(head, {"values": recordings.values}, recordings.stimulus_ids, recordings.table)
    affine = None if recordings.affine is None else recordings.affine.tolist()
    shape = None if recordings.volume_shape is None else list(recordings.volume_shape)
    arrays: dict[str, Any] = {"values": recordings.values}
    if recordings.times is not None:
        arrays["times"] = recordings.times
    if recordings.runs is not None:
        arrays["runs"] = recordings.runs.astype(np.str_)
    head = {"kind": "recordings", "name": recordings.name, "volume_shape": shape, "affine": affine}
    return _hash_arrays(head, arrays, recordings.stimulus_ids, recordings.units)


def _hash_arrays(
    head: dict[str, Any], arrays: dict[str, Any], ids: tuple[str, ...], table: pd.DataFrame
) -> tuple[dict[str, Any], dict[str, Any]]:
    columns = [str(name) for name in table.columns]
    arrays["stimulus_ids"] = np.array(ids, dtype=np.str_)
    for number, name in enumerate(columns):
        column = table[name].to_numpy()
        arrays[f"table/{number}"] = column.astype(np.str_) if column.dtype == object else column
    arrays = {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}
    digests = {name: hash_array(array) for name, array in arrays.items()}
    return {"format": FORMAT, "columns": columns, "digests": digests, **head}, arrays


def _write(path: Path | str, head: dict[str, Any], arrays: dict[str, Any]) -> Path:
    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise InputError(f"a file name ending in {SUFFIX}", got=path.name)
    with open_atomic(path) as file:
        np.savez(file, head=np.array(to_canonical_json(head)), **arrays)
    return path


def is_own(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays of an ``.npz`` file are recordings as they are written here."""
    return "head" in arrays and arrays["head"].dtype.kind == "U" and FORMAT[:-1] in str(arrays["head"])


def read_own(path: Path, arrays: Mapping[str, np.ndarray]) -> Recordings | RecordedRDMs:
    """Recordings or RDMs of the arrays of their file.

    Raises
    ------
    DamagedOutput
        An array does not hold what was written.
    InputError
        The file is of a later version.
    """
    try:
        head: Any = json.loads(str(arrays["head"]))
    except ValueError as error:
        raise DamagedOutput("a file of recordings", got=f"{path}, whose head does not parse") from error
    if not is_json_object(head) or head.get("format") != FORMAT:
        got = head.get("format") if is_json_object(head) else "another head"
        raise InputError(f"recordings of the format {FORMAT}", got=f"{path} ({got})", hint="a newer Beholder")
    for name, digest in head["digests"].items():
        if name not in arrays or hash_array(arrays[name]) != digest:
            raise DamagedOutput("recordings as they were written", got=f"{path}, whose {name!r} has changed")
    import pandas as pd

    name = head["name"] or path.name.removesuffix(SUFFIX)
    columns = {column: _open_column(arrays[f"table/{number}"]) for number, column in enumerate(head["columns"])}
    table = pd.DataFrame(columns)
    ids = [str(each) for each in arrays["stimulus_ids"]]
    if head["kind"] == "rdms":
        return RecordedRDMs(arrays["values"], ids, table, name)
    kept = {"name": name} | {key: head[key] for key in ("volume_shape", "affine")}
    return Recordings(arrays["values"], ids, table, arrays.get("times"), arrays.get("runs"), **kept)


def _open_column(array: np.ndarray) -> np.ndarray:
    return array.astype(object) if array.dtype.kind == "U" else array
