"""Arrays whose axes and coordinates have names: netCDF files and xarray's arrays in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.progress import logger
from beholder.recordings._arrays import ReadOptions, read_trials
from beholder.recordings._hdf5_values import import_h5py, is_dataset, list_entries, read_dataset
from beholder.recordings._labels import list_names
from beholder.recordings._recordings import Recordings

_AXES = {
    "stimulus": ("stimulus", "stimuli", "stim", "image", "presentation", "trial", "epoch", "condition"),
    "unit": ("unit", "units", "neuroid", "voxel", "neuron", "channel", "sensor", "electrode"),
    "repeat": ("repeat", "repetition", "rep", "run", "trial_repeat"),
    "time": ("time", "times", "time_bin", "time_bin_start"),
}
_IDS = ("stimulus_id", "image_id", "stim_id", "image_file_name", "filename")
_LONGEST_EPOCH = 30
"""Seconds: longer times are in milliseconds."""
_TIMES = ("time", "times", "time_bin_center", "time_bin_start")

Coordinates = Mapping[str, tuple[Sequence[str], np.ndarray]]


@suggest_keywords
def from_xarray(array: Any, *, stimuli: Any = None, name: str = "") -> Recordings:
    """Recordings of an ``xarray.DataArray``, by the names of its axes and coordinates.

    Parameters
    ----------
    array : xarray.DataArray
        An axis of stimuli or presentations (``stimulus``, ``presentation``, ``trial``, …) with a coordinate of ids
        (``stimulus_id``, ``image_id``, …, or the axis's own), one of units (``unit``, ``neuroid``, ``voxel``,
        ``channel``, …), and, if there are such, of repeats and times (in seconds, or in milliseconds where the
        coordinate's attribute ``units`` says ``ms`` or they go beyond 30, which a warning tells). Presentations of one
        stimulus become its repeats. Coordinates along units become columns of :attr:`Recordings.units`.
    stimuli : sequence of str, optional
        The ids, where no coordinate has them.
    name : str
        Unless given, the array's.
    """
    coordinates = {
        str(key): (tuple(map(str, value.dims)), np.asarray(value.values))
        for key, value in array.coords.items()
        if len(value.dims) == 1 and not _is_index_of_tuples(value)
    }
    milliseconds = any(
        str(value.attrs.get("units", "")) == "ms" for key, value in array.coords.items() if key in _TIMES
    )
    given = ReadOptions(stimuli=stimuli, name=name or str(array.name or ""))
    return build_labelled(
        np.asarray(array.values), [str(each) for each in array.dims], coordinates, Path("array"), given, milliseconds
    )


def _is_index_of_tuples(value: Any) -> bool:
    """Whether it is the joint index of an axis with several coordinates, which come one by one too."""
    plain = np.asarray(value.values)
    return plain.dtype == object and plain.size > 0 and isinstance(plain.reshape(-1)[0], tuple)


def build_labelled(
    values: np.ndarray,
    dims: Sequence[str],
    coordinates: Coordinates,
    path: Path,
    given: ReadOptions,
    milliseconds: bool = False,
) -> Recordings:
    """Recordings of an array, the names of its axes, and one-dimensional coordinates."""
    places: dict[str, int] = {}
    for place, dim in enumerate(dims):
        role = next((role for role, names in _AXES.items() if dim.lower() in names), None)
        if role is None or role in places:
            got = f"axes {', '.join(dims)}" + (f" in {path}" if path.name != "array" else "")
            raise InputError("axes of stimuli, units and, if there are such, repeats and times", got=got)
        places[role] = place
    if not {"stimulus", "unit"} <= set(places):
        raise InputError("an axis of stimuli and one of units", got=f"axes {', '.join(dims)}")
    along = {role: _find_along(coordinates, dims[place]) for role, place in places.items()}
    order = [places[role] for role in ("stimulus", "unit", "repeat", "time") if role in places]
    ordered = values.transpose(order)
    ids = _choose_ids(along["stimulus"], given)
    times = _choose_times(along.get("time", {}), ordered.shape[-1] if "time" in places else 0, milliseconds)
    units = {key: column for key, column in along["unit"].items() if column.dtype.kind in "biufUSO"}
    if given.units is not None:
        units = given.units
    if "repeat" in places:
        return Recordings(ordered, ids, units, times, name=given.pick_name(path))
    trials = replace(given, stimuli={"stimulus_id": ids, **_find_runs(along["stimulus"])})
    kept = {} if times is None else {"times": times}
    return read_trials(ordered, path, trials, units, **kept)


def _find_along(coordinates: Coordinates, dim: str) -> dict[str, np.ndarray]:
    return {key: value for key, (dims, value) in coordinates.items() if tuple(dims) == (dim,)}


def _find_runs(along: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    found = next((along[key] for key in ("run", "session") if key in along), None)
    return {} if found is None else {"run": [str(each) for each in found.tolist()]}


def _choose_ids(along: Mapping[str, np.ndarray], given: ReadOptions) -> list[str]:
    if given.stimuli is not None:
        return [str(each) for each in given.stimuli]
    texts = [key for key, value in along.items() if value.dtype.kind in "USO"]
    chosen = next((key for key in _IDS if key in along), texts[0] if len(texts) == 1 else None)
    chosen = chosen or next((key for key in texts if key in _AXES["stimulus"]), None)
    if chosen is None:
        got = f"{list_names(list(along))} along it" if along else "none along it"
        raise InputError("a coordinate stimulus_id along the axis of stimuli", got=got, hint="--stimuli with the ids")
    return [
        each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in along[chosen].tolist()
    ]


def _choose_times(along: Mapping[str, np.ndarray], n_times: int, milliseconds: bool) -> np.ndarray | None:
    if not n_times:
        return None
    chosen = next((key for key in _TIMES if key in along and along[key].dtype.kind in "iuf"), None)
    if chosen is None:
        raise InputError(f"a coordinate of {n_times} times in seconds", got=list_names(list(along)) or "none")
    times = along[chosen].astype(np.float64)
    if not milliseconds and np.abs(times).max() >= _LONGEST_EPOCH:
        logger.warning("Times from %g to %g without a unit are taken for milliseconds", times[0], times[-1])
        milliseconds = True
    return times / 1000 if milliseconds else times


def read_netcdf(path: Path, given: ReadOptions) -> Recordings:
    """Of a netCDF file, version 3 (by scipy) or 4 (by h5py): one variable of two to four axes, and its coordinates."""
    with path.open("rb") as file:
        is_hdf5 = file.read(8) == b"\x89HDF\r\n\x1a\n"
    arrays, dims, units = _read_netcdf4(path) if is_hdf5 else _read_netcdf3(path)
    names = [name for name, axes in dims.items() if 2 <= len(axes) <= 4 and arrays[name].dtype.kind in "biuf"]
    if given.variable is not None and given.variable not in arrays:
        raise UnknownNameError(f"variable of {path.name}", given.variable, arrays)
    if given.variable is None and len(names) != 1:
        got = f"{path} with {list_names(names) or 'none'}"
        raise InputError("one variable of responses", got=got, hint="--variable NAME")
    chosen = given.variable or names[0]
    coordinates = {name: (axes, arrays[name]) for name, axes in dims.items() if len(axes) == 1}
    milliseconds = any(units.get(name) == "ms" for name in _TIMES)
    return build_labelled(arrays[chosen], dims[chosen], coordinates, path, given, milliseconds)


_Content = tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]], dict[str, str]]


def _read_netcdf3(path: Path) -> _Content:
    from scipy.io import netcdf_file

    arrays: dict[str, np.ndarray] = {}
    dims: dict[str, tuple[str, ...]] = {}
    units: dict[str, str] = {}
    with netcdf_file(path, "r", mmap=False) as file:
        variables = cast(Mapping[str, Any], file.variables)
        for name, variable in variables.items():
            value = np.array(variable[...])
            axes = tuple(variable.dimensions)
            if value.dtype.kind == "S" and value.ndim == 2:
                value, axes = (
                    np.array([b"".join(row).decode("utf-8", "replace").rstrip("\0 ") for row in value]),
                    axes[:1],
                )
            arrays[name], dims[name] = value.astype(value.dtype.newbyteorder("=")), axes
            unit = getattr(variable, "units", b"")
            units[name] = unit.decode() if isinstance(unit, bytes) else str(unit)
    return arrays, dims, units


def _read_netcdf4(path: Path) -> _Content:
    arrays: dict[str, np.ndarray] = {}
    dims: dict[str, tuple[str, ...]] = {}
    units: dict[str, str] = {}
    with import_h5py().File(path, "r") as file:
        for name, item in list_entries(file):
            if not is_dataset(item) or "not a netCDF variable" in str(item.attrs.get("NAME", b"")):
                continue
            arrays[name] = read_dataset(item)
            dims[name] = _name_axes(name, item)
            unit = item.attrs.get("units", "")
            units[name] = unit.decode() if isinstance(unit, bytes) else str(unit)
    return arrays, dims, units


def _name_axes(name: str, dataset: Any) -> tuple[str, ...]:
    """The names of a variable's axes: of the scales that are attached, its own where it is a scale."""
    if dataset.is_scale and dataset.ndim == 1:
        return (name,)
    found: list[str] = []
    for place in range(dataset.ndim):
        scales = list(dataset.dims[place].values())
        found.append(scales[0].name.rpartition("/")[2] if scales else dataset.dims[place].label or f"axis {place}")
    return tuple(found)
