"""Recordings and RDMs of an array and what is known of its rows and columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.narrowing import is_mapping
from beholder._core.wording import format_count, pick_words
from beholder.recordings._labels import list_names
from beholder.recordings._plain import find_beside, read_npy, read_npz, read_table
from beholder.recordings._rdms import RecordedRDMs, condense, count_stimuli
from beholder.recordings._recordings import Recordings

ID_COLUMNS = (
    "stimulus_id", "stim_id", "stimulus", "id", "stim_file", "image_path", "image", "file", "filename", "file_name",
    "name", "trial_type",
)  # fmt: skip
OWN_COLUMNS = tuple(name for name in ID_COLUMNS if name not in ("name", "trial_type"))
NOT_GIVEN = ("", "n/a", "nan", "None")
AXES = ("stimulus", "trial", "unit", "repeat", "time", "rdm")
_DEFAULT_AXES = {2: "stimulus unit", 3: "stimulus unit repeat", 4: "stimulus unit repeat time"}
_VALUE_NAMES = ("values", "data", "responses", "betas", "rdms", "rdm", "dissimilarities")
_NET2BRAIN = re.compile(r"(?:fmri|meg)_(.+)_RDMs?\.npz", re.IGNORECASE)
PATH_COLUMNS = ("image_path", "file", "filename", "file_name", "stim_file", "image")


@final
@dataclass(frozen=True)
class ReadOptions:
    """What somebody says of a file of numbers.

    Parameters
    ----------
    stimuli : path, sequence of str, or None
        A table with a column of ids, a folder of stimulus files, or the ids; None looks into the file and for
        ``{stem}_stimuli.csv`` beside it.
    units : path, DataFrame, mapping or None
        Likewise, of units (of RDMs where the numbers are RDMs): ``{stem}_units.csv``.
    variable : str or None
        Which array of the file.
    axes : str or None
        Names of its axes in order, as ``"unit repeat stimulus"``; ``trial`` for single trials, ``rdm`` and ``pair``
        or two times ``stimulus`` for RDMs.
    mask, labels, events : path, mapping or None
        Of NIfTI and BIDS: which voxels, names of an atlas' regions, where the tables of events lie.
    name : str
    """

    stimuli: Any = None
    units: Any = None
    variable: str | None = None
    axes: str | None = None
    mask: Any = None
    labels: Any = None
    events: Any = None
    name: str = ""

    def pick_name(self, path: Path) -> str:
        """The name that was given, or the file's without its suffixes."""
        return self.name or path.name.split(".")[0]


def read_array_file(path: Path, given: ReadOptions) -> Recordings | RecordedRDMs:
    """Of ``.npy`` or ``.npz`` that is not Beholder's own."""
    from beholder.recordings._own_file import is_own, read_own

    if path.suffix.lower() == ".npy":
        return build(read_npy(path), {}, path, given)
    arrays = read_npz(path)
    if is_own(arrays):
        return read_own(path, arrays)
    return build_named(arrays, path, given)


def build_named(arrays: Mapping[str, np.ndarray], path: Path, given: ReadOptions) -> Recordings | RecordedRDMs:
    """Of several named arrays: the one of values, ids and columns of units by their names."""
    name = choose_variable(arrays, path, given)
    beside = {key: read_values(array) for key, array in arrays.items() if key != name and array.ndim == 1}
    return build(read_values(arrays[name]), beside, path, given, is_rdm="rdm" in name.lower() or name[:6] == "dissim")


def read_values(array: Any) -> np.ndarray:
    """An array, or what a dataset of HDF5 holds."""
    if isinstance(array, np.ndarray):
        return cast(np.ndarray, array)
    from beholder.recordings._hdf5_values import read_dataset

    return read_dataset(array)


def choose_variable(arrays: Mapping[str, np.ndarray], path: Path, given: ReadOptions) -> str:
    """The name of the array that holds the responses.

    Raises
    ------
    UnknownNameError, InputError
        There is none of the name that was asked for; there are several candidates.
    """
    numbers = [name for name, array in arrays.items() if array.ndim >= 2 and array.dtype.kind in "biuf"]
    if given.variable is not None:
        if given.variable not in arrays:
            raise UnknownNameError(f"variable of {path.name}", given.variable, arrays)
        return given.variable
    known = [name for name in _VALUE_NAMES if name in numbers]
    if known or len(numbers) == 1:
        return (known or numbers)[0]
    got = f"{path} with {list_names(numbers, 8)}" if numbers else f"{path} with {list_names(list(arrays), 8) or 'none'}"
    raise InputError("one array of responses, or one named 'values'", got=got, hint="--variable NAME")


def build(
    values: np.ndarray, beside: Mapping[str, Any], path: Path, given: ReadOptions, *, is_rdm: bool = False
) -> Recordings | RecordedRDMs:
    """Of one array; ``beside`` has further arrays of the file, by name, one value a stimulus, unit, time or RDM."""
    name = given.pick_name(path)
    if values.dtype.kind not in "biuf":
        raise InputError("responses that are numbers", got=f"{path} with an array of {values.dtype}")
    axes = (given.axes or "").split()
    is_rdm = is_rdm or (not axes and are_square(values, path))
    if (is_rdm and not axes) or "rdm" in axes or "pair" in axes or axes.count("stimulus") == 2:
        first = axes.index("rdm") if "rdm" in axes and len(axes) == values.ndim else 0
        return build_rdms(np.moveaxis(values, first, 0), beside, path, given)
    axes = axes or _DEFAULT_AXES.get(values.ndim, "").split()
    by_trial = "trial" in axes
    ordered = _order(values, axes, path)
    n_rows, n_units = ordered.shape[:2]
    table = _find_stimuli(path, given, beside, n_rows)
    ids = _find_ids(table, path, n_rows)
    units = find_units(path, given, beside, n_units)
    times = next((beside[key] for key in ("times", "time") if key in beside and ordered.ndim == 4), None)
    if by_trial:
        runs = next((table[key].tolist() for key in ("run", "session") if table is not None and key in table), None)
        trials = ordered[:, :, 0]
        return Recordings.from_trials(trials, ids, units, runs=runs, times=times, name=name)
    return Recordings(ordered, ids, units, times, name=name)


def read_trials(values: np.ndarray, path: Path, given: ReadOptions, units: Any, **kept: Any) -> Recordings:
    """Of single trials, (n_trials, n_units[, n_times]), with a table of stimuli or events that has a row for each.

    Rows of events without a stimulus (``n/a``) are left out, and their trials where there are such. Trials with the
    same stimulus become its repeats.
    """
    table = _find_stimuli(path, given, {}, len(values))
    if table is not None:
        column = next((name for name in ID_COLUMNS if name in table.columns), None)
        if column is not None:
            named = np.array([str(each) not in NOT_GIVEN for each in table[column].tolist()], dtype=bool)
            values = values[named] if len(named) == len(values) else values
            table = table[named].reset_index(drop=True)
    ids = _find_ids(table, path, len(values))
    runs = next((table[key].tolist() for key in ("run", "session") if table is not None and key in table), None)
    return Recordings.from_trials(values, ids, units, runs=runs, name=given.pick_name(path), **kept)


def _order(values: np.ndarray, axes: Sequence[str], path: Path) -> np.ndarray:
    """As (stimulus or trial, unit, repeat[, time])."""
    expected = f"the names of {values.ndim} axes, of stimulus (or trial), unit, repeat and time, each once"
    unknown = [axis for axis in axes if axis not in AXES]
    rows = [axis for axis in ("stimulus", "trial") if axis in axes]
    if unknown or len(axes) != values.ndim or len(set(axes)) != len(axes) or len(rows) != 1 or "unit" not in axes:
        got = f"{' '.join(axes) or 'none'} for an array of shape {values.shape} in {path}"
        raise InputError(
            expected, got=got, hint=pick_words("--axes 'stimulus unit repeat'", "axes='stimulus unit repeat'")
        )
    if rows == ["trial"] and "repeat" in axes:
        raise InputError("trials without an axis of repeats", got=f"{' '.join(axes)} in {path}")
    wanted = [rows[0], "unit", "repeat", *(["time"] if "time" in axes else [])]
    present = [axis for axis in wanted if axis in axes]
    moved = values.transpose([axes.index(axis) for axis in present])
    return moved if "repeat" in axes else np.expand_dims(moved, 2)


def _find_stimuli(path: Path, given: ReadOptions, beside: Mapping[str, Any], n_rows: int) -> Any:
    """A table of stimuli (a DataFrame), from what was given, the file itself or a table beside it."""
    import pandas as pd

    if given.stimuli is not None:
        stimuli: Any = given.stimuli
        if isinstance(stimuli, (str, Path)):
            return _read_stimuli(Path(stimuli))
        if is_mapping(stimuli) or isinstance(stimuli, pd.DataFrame):
            return pd.DataFrame(stimuli)
        return pd.DataFrame({"stimulus_id": [str(each) for each in stimuli]})
    named = {key: array for key, array in beside.items() if key in ("stimulus_ids", "stimuli", *OWN_COLUMNS)}
    named = {
        key: array for key, array in named.items() if len(array) == n_rows and np.asarray(array).dtype.kind in "USiu"
    }
    if named:
        key = next(iter(named))
        rest = {each: beside[each] for each in ("run", "session") if each in beside and len(beside[each]) == n_rows}
        return pd.DataFrame({"stimulus_id": [_text(each) for each in named[key]], **rest})
    found = find_beside(path, "stimuli")
    return None if found is None else read_table(found, ID_COLUMNS)


def _read_stimuli(path: Path) -> Any:
    """A table of stimuli, or the files of a folder in the order that stimulus sets have them in."""
    if not path.is_dir():
        return read_table(path, ID_COLUMNS)
    import pandas as pd

    from beholder.stimuli import StimulusSet

    return pd.DataFrame({"stimulus_id": list(StimulusSet.from_folder(path).ids)})


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _find_ids(table: Any, path: Path, n_rows: int) -> list[str]:
    if table is None:
        raise InputError(
            f"the ids of {format_count(n_rows, 'stimulus')}, since "
            "rows are joined by id and never by position", got=f"{path} alone",
            hint=f"a table beside it, {path.name.split('.')[0]}_stimuli.csv with a column stimulus_id, or --stimuli",
        )  # fmt: skip
    column = next((name for name in ID_COLUMNS if name in table.columns), None)
    if column is None:
        raise InputError(f"a column of stimulus ids, as {ID_COLUMNS[0]!r}", got=f"columns {list_names(table.columns)}")
    found = [str(each) for each in table[column].tolist()]
    if column in PATH_COLUMNS:
        found = name_files(found)
    if len(found) != n_rows:
        raise InputError(
            f"a row for each of {format_count(n_rows, 'stimulus')} in {path.name}",
            got=f"a table of {format_count(len(found), 'stimulus')}",
        )
    return found


def name_files(files: Sequence[str]) -> list[str]:
    """Ids of files, as stimulus sets make them: stems, or where two are alike paths with ``__`` for ``/``.

    >>> name_files(["a/x.png", "a/y.png", "a/x.png"])
    ['x', 'y', 'x']
    >>> name_files(["a/x.png", "b/x.png"])
    ['a__x', 'b__x']
    """
    plain = {file: file.replace("\\", "/").removeprefix("./").lstrip("/") for file in files}
    without = {file: _strip_suffix(path) for file, path in plain.items()}
    stems = {file: path.rpartition("/")[2] for file, path in without.items()}
    short = len(set(stems.values())) == len(set(without.values()))
    return [stems[file] if short else without[file].replace("/", "__") for file in files]


def _strip_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    return folder + slash + (stem if dot and stem and 1 <= len(suffix) <= 5 else name)


def find_units(path: Path, given: ReadOptions, beside: Mapping[str, Any], n_units: int, what: str = "units") -> Any:
    """The table of units (or of RDMs), from what was given, the file itself or a table beside it."""
    import pandas as pd

    if given.units is not None:
        return read_table(given.units) if isinstance(given.units, (str, Path)) else pd.DataFrame(given.units)
    skipped = ("stimulus_ids", "stimuli", "stimulus_id", "times", "time")
    columns = {key: array for key, array in beside.items() if len(array) == n_units and key not in skipped}
    if columns:
        return pd.DataFrame({key: list(array) for key, array in columns.items()})
    found = find_beside(path, what)
    return None if found is None else read_table(found)


def are_square(values: np.ndarray, path: Path) -> bool:
    """Whether an array of two to four axes holds square RDMs along its last two.

    Raises
    ------
    InputError
        They are symmetric with one other value on the diagonal: similarities, which neither RDMs nor responses are.
    """
    n = values.shape[-1]
    if n < 3 or values.ndim < 2 or values.shape[-2] != n or values.dtype.kind not in "biuf":
        return False
    flat = values.reshape(-1, n, n)
    if not np.allclose(flat, flat.transpose(0, 2, 1), equal_nan=True):
        return False
    diagonal = np.nan_to_num(np.diagonal(flat, axis1=1, axis2=2).astype(np.float64))
    if diagonal.any() and np.ptp(diagonal) == 0:
        raise InputError(
            "RDMs, with zeros on the diagonal", got=f"{path}, symmetric with {diagonal[0, 0]:g} there",
            hint="1 - values where they are similarities, or "
            + pick_words("--axes 'stimulus unit'", "axes='stimulus unit'") + " where they are responses",
        )  # fmt: skip
    return not diagonal.any()


def build_rdms(values: np.ndarray, beside: Mapping[str, Any], path: Path, given: ReadOptions) -> RecordedRDMs:
    """Of RDMs along the first axis; of four axes (n_subjects, n_times, n_stimuli, n_stimuli)."""
    columns = dict(beside)
    if values.ndim == 4:
        n_subjects, n_times = values.shape[:2]
        times = columns.pop("times", columns.pop("time", np.arange(n_times)))
        columns["subject"] = np.repeat(columns.get("subject", [str(n + 1) for n in range(n_subjects)]), n_times)
        columns["time"] = np.tile(times, n_subjects)
        values = values.reshape(-1, *values.shape[2:])
    condensed = condense(values)
    n_stimuli = count_stimuli(condensed.shape[1])
    ids = _find_ids(_find_stimuli(path, given, columns, n_stimuli), path, n_stimuli)
    table = find_units(path, given, columns, len(condensed), "rdms")
    return RecordedRDMs(condensed, ids, _label_net2brain(table, path, len(condensed)), given.pick_name(path))


def _label_net2brain(table: Any, path: Path, n_rdms: int) -> Any:
    """Net2Brain says region in the file's name, ``fmri_EVC_RDMs.npz``, and has an RDM a subject."""
    found = _NET2BRAIN.fullmatch(path.name)
    if found is None or table is not None:
        return table
    return {"subject": [str(n + 1) for n in range(n_rdms)], "region": [found[1]] * n_rdms}
