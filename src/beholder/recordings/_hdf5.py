"""HDF5: arrays by name, rsatoolbox's RDMs and data sets, MATLAB's version 7.3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder.recordings._arrays import ReadOptions, build_named, build_rdms
from beholder.recordings._hdf5_values import import_h5py, is_dataset, is_group, list_entries, read_dataset
from beholder.recordings._rdms import RecordedRDMs
from beholder.recordings._recordings import Recordings

_RSATOOLBOX = tuple(f"{kind}descriptors" for kind in ("", "rdm_", "pattern_", "obs_", "channel_", "time_"))
_ID_DESCRIPTORS = ("stimulus_id", "conds", "condition", "stimulus", "stim", "image", "index")


def read_hdf5(path: Path, given: ReadOptions) -> Recordings | RecordedRDMs:
    """Of an ``.h5`` file: rsatoolbox's, or one array of responses among others, ``group/name`` where it lies deeper."""
    with import_h5py().File(path, "r") as file:
        if any(name in file for name in _RSATOOLBOX):
            return _open_rsatoolbox(file, path, given)
        datasets = dict(_iter_datasets(file))
        if given.variable is None:
            return build_named(_Lazy(datasets), path, given)
        if given.variable not in datasets:
            raise UnknownNameError(f"variable of {path.name}", given.variable, datasets)
        group = given.variable.rpartition("/")[0]
        nearby = {
            name.removeprefix(f"{group}/"): each
            for name, each in datasets.items()
            if name != given.variable and group in ("", name.rpartition("/")[0])
        }
        return build_named(_Lazy(nearby | {given.variable: datasets[given.variable]}), path, given)


def _iter_datasets(file: Any) -> Iterator[tuple[str, Any]]:
    names: list[str] = []
    file.visit(names.append)
    for name in names:
        item = file[name]
        if is_dataset(item) and item.shape is not None:
            yield name, item


class _Lazy(Mapping[str, Any]):
    """Datasets by name, of which only those that are asked for are read."""

    def __init__(self, datasets: Mapping[str, Any]) -> None:
        self._datasets = datasets

    def __getitem__(self, name: str) -> Any:
        return self._datasets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._datasets)

    def __len__(self) -> int:
        return len(self._datasets)


def _read_group(group: Any) -> dict[str, np.ndarray]:
    """Datasets and attributes of a group, as rsatoolbox writes a dictionary; lists that numpy refused are left out."""
    found: dict[str, np.ndarray] = {}
    for name, item in list_entries(group):
        if is_dataset(item) and item.shape is not None:
            found[name] = read_dataset(item)
    for name, value in group.attrs.items():
        found[name] = np.asarray(value)
    return found


def _open_rsatoolbox(file: Any, path: Path, given: ReadOptions) -> Recordings | RecordedRDMs:
    groups = {name: _read_group(file[name]) for name in _RSATOOLBOX if name in file}
    if "dissimilarities" in file:
        by_pattern, by_rdm = groups.get("pattern_descriptors", {}), groups.get("rdm_descriptors", {})
        beside = {name: column for name, column in by_rdm.items() if name != "index"}
        ids = given.stimuli if given.stimuli is not None else _choose_ids(by_pattern, path)
        return build_rdms(read_dataset(file["dissimilarities"]), beside, path, replace(given, stimuli=ids))
    if "measurements" not in file:
        raise InputError("RDMs or a data set of rsatoolbox", got=f"{path} with neither")
    values, rows = read_dataset(file["measurements"]), groups.get("obs_descriptors", {})
    ids = _choose_ids(rows, path) if given.stimuli is None else list(given.stimuli)
    run = next((rows[name] for name in ("run", "session", "sessions", "runs") if name in rows), None)
    units = {name: each for name, each in groups.get("channel_descriptors", {}).items() if name != "index"}
    name = given.pick_name(path)
    times = groups.get("time_descriptors", {}).get("time") if values.ndim == 3 else None
    return Recordings.from_trials(
        values, ids, units if given.units is None else given.units, runs=run, times=times, name=name
    )


def _choose_ids(descriptors: Mapping[str, np.ndarray], path: Path) -> list[str]:
    """Which descriptor names the stimuli; ``index``, which is a position, only where nothing else does."""
    known = [name for name in _ID_DESCRIPTORS if name in descriptors and name != "index"]
    texts = [name for name, column in descriptors.items() if column.dtype.kind in "US"]
    chosen = next(iter(known or texts), None)
    if chosen is None:
        raise InputError(
            "a descriptor that names the stimuli, since rows are joined by id and never by position",
            got=f"{path} with {', '.join(descriptors) or 'none'}", hint="--stimuli with ids in the file's order",
        )  # fmt: skip
    return [str(each) for each in descriptors[chosen].tolist()]


def read_matlab_hdf5(path: Path) -> dict[str, np.ndarray]:
    """Variables of a MATLAB file of version 7.3, with the axes as MATLAB has them."""
    found: dict[str, np.ndarray] = {}
    with import_h5py().File(path, "r") as file:
        for name, item in list_entries(file):
            if name.startswith("#"):
                continue
            fields = list_entries(item) if is_group(item) else []
            for place, each in [(name, item), *((f"{name}/{field}", inner) for field, inner in fields)]:
                value = _read_matlab_value(file, each) if is_dataset(each) else None
                if value is not None:
                    found[place] = value
    return found


def _read_matlab_value(file: Any, dataset: Any) -> np.ndarray | None:
    """Numbers, text, or a cell array of texts; None for anything else."""
    kind = dataset.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if "MATLAB_empty" in dataset.attrs:
        return None
    if kind == "char":
        return np.array(["".join(map(chr, row)) for row in np.asarray(dataset[()]).T.tolist()])
    if import_h5py().check_ref_dtype(dataset.dtype) is not None:
        cells = [_read_matlab_value(file, file[each]) for each in np.asarray(dataset[()]).T.reshape(-1)]
        if any(each is None or each.dtype.kind != "U" or each.size != 1 for each in cells):
            return None
        return np.array([str(each.reshape(-1)[0]) for each in cells if each is not None])
    if dataset.dtype.kind not in "biuf" or dataset.shape is None:
        return None
    return np.asarray(dataset[()]).T
