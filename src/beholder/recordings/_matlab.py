"""MATLAB files: arrays by name, and RDMs as toolboxes save them, in structs and by participant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import pick_words
from beholder.recordings._arrays import ReadOptions, build_named, build_rdms, name_files
from beholder.recordings._hdf5 import read_matlab_hdf5
from beholder.recordings._rdms import RecordedRDMs, condense
from beholder.recordings._recordings import Recordings

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def read_matlab(path: Path, given: ReadOptions) -> Recordings | RecordedRDMs:
    """Of a ``.mat`` file, of version 5 (by scipy) or 7.3 (HDF5).

    Beside plain arrays: an array of structs with a field ``RDM``, as the RSA toolbox has them, and the similarity
    judgements of Meadows (``rdmutv`` with ``stimuli``).
    """
    arrays = _read_variables(path)
    structs = [name for name, value in arrays.items() if value.dtype.names and "RDM" in value.dtype.names]
    if structs and given.variable is None:
        _check_alone(arrays, structs, path)
    judged = [name for name in arrays if name == "rdmutv" or name.startswith("rdmutv_")]
    if given.variable in structs or (given.variable is None and len(structs) == 1):
        return _open_structs(arrays[given.variable or structs[0]], path, given)
    if judged and given.variable is None:
        return _open_meadows(arrays, judged, path, given)
    plain = {name: _squeeze(value) for name, value in arrays.items() if value.dtype.kind in "biufUS"}
    texts = {name: _read_cells(value) for name, value in arrays.items() if value.dtype == object}
    return build_named(plain | {name: value for name, value in texts.items() if value is not None}, path, given)


def _check_alone(arrays: Mapping[str, np.ndarray], structs: list[str], path: Path) -> None:
    """Refuse to choose between RDMs in structs and others beside them."""
    others = [
        name for name, value in arrays.items()
        if value.dtype.kind in "biuf" and value.ndim == 2 and len(value) > 2 and len(value) == value.shape[1]
        and not np.diagonal(value).any() and np.array_equal(value, value.T, equal_nan=True)
    ]  # fmt: skip
    if others or len(structs) > 1:
        raise InputError(
            "one variable with RDMs",
            got=f"{', '.join([*structs, *others])} in {path}",
            hint=pick_words(f"--variable {structs[0]}", f"variable={structs[0]!r}"),
        )


def _read_variables(path: Path) -> dict[str, np.ndarray]:
    import scipy.io

    with path.open("rb") as file:
        head = file.read(520)
    if _HDF5_MAGIC in (head[:8], head[512:520]):
        return read_matlab_hdf5(path)
    read: Mapping[str, Any] = scipy.io.loadmat(path)
    return {name: np.asarray(value) for name, value in read.items() if not name.startswith("__")}


def _squeeze(array: np.ndarray) -> np.ndarray:
    """MATLAB has no vectors: what has one long side is one."""
    return array.reshape(-1) if array.ndim == 2 and 1 in array.shape else array


def _read_cells(cells: np.ndarray) -> np.ndarray | None:
    """Texts of a cell array; None where it holds anything else."""
    found = [np.asarray(each) for each in cells.reshape(-1)]
    if not found or any(each.size > 1 or each.dtype.kind not in "US" for each in found):
        return None
    return np.array([str(each.reshape(-1)[0]) if each.size else "" for each in found])


def _open_structs(structs: np.ndarray, path: Path, given: ReadOptions) -> RecordedRDMs:
    flat = structs.reshape(-1)
    names = structs.dtype.names or ()
    values = np.concatenate([condense(_squeeze(np.asarray(each))) for each in flat["RDM"]])
    table = {name: _read_cells(flat[name]) for name in names if name not in ("RDM", "color")}
    columns = {name: column for name, column in table.items() if column is not None and len(column) == len(values)}
    return build_rdms(values, _split_names(columns), path, given)


def _split_names(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The RSA toolbox's names of RDMs, ``region | subject | Session: n``, as columns of their own."""
    parts = [[part.strip() for part in str(name).split("|")] for name in columns.get("name", [])]
    if not parts or len({len(each) for each in parts}) != 1 or len(parts[0]) not in (2, 3):
        return columns
    split = {"region": [each[0] for each in parts], "subject": [each[1] for each in parts]}
    if len(parts[0]) == 3:
        split["session"] = [each[2].rpartition(":")[2].strip() for each in parts]
    return columns | {name: np.array(column) for name, column in split.items() if name not in columns}


def _open_meadows(arrays: Mapping[str, np.ndarray], judged: list[str], path: Path, given: ReadOptions) -> RecordedRDMs:
    """Similarity judgements: an RDM a participant, each with its own order of stimuli."""
    found: list[RecordedRDMs] = []
    for name in judged:
        who = name.removeprefix("rdmutv").lstrip("_")
        files = arrays.get(f"stimuli_{who}" if who else "stimuli")
        if files is None:
            raise InputError(f"the stimuli of {name} beside it, as Meadows saves them", got=f"{path} without")
        ids = name_files([str(each).strip() for each in files.reshape(-1)])
        found.append(RecordedRDMs(arrays[name].reshape(-1), ids, {"subject": [who]}))
    first = sorted(found[0].stimulus_ids)
    if any(sorted(each.stimulus_ids) != first for each in found):
        raise InputError("the same stimuli for every participant", got=f"{path} with several sets of them")
    values = np.concatenate([each.select(stimulus_ids=first).values for each in found])
    return RecordedRDMs(values, first, {"subject": [each.table["subject"][0] for each in found]}, given.pick_name(path))
