"""Responses of units to stimuli, repeats kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_method_keywords
from beholder._core.notebooks import render_table
from beholder._core.wording import format_count
from beholder.recordings._file import Parts, hash_arrays, write_parts
from beholder.recordings._labels import Choice, check_ids, choose_rows, find_positions, iter_groups, make_table

if TYPE_CHECKING:
    import pandas as pd

    from beholder.statistics import ReliabilityMethod


@suggest_method_keywords
@final
@dataclass(frozen=True, eq=False, repr=False)
class Recordings:
    """Responses to stimuli: voxels, electrodes, neurons, sensors, or ratings of people.

    Parameters
    ----------
    values : (n_stimuli, n_units[, n_repeats[, n_times]]), float32 or float64
        NaN for a repeat that was not measured. Other numbers become float32, whole ones of 32 bits or more float64.
    stimulus_ids : sequence of str, (n_stimuli,)
        Each once. Everything is joined by them, nothing by position.
    units : DataFrame or mapping of columns, n_units rows
        ``subject`` and ``region`` (empty where nothing is known) and whatever else is known of a unit, as ``x, y, z``
        in mm, or ``i, j, k``, its place in a volume.
    times : (n_times,), float, seconds
        Of the last axis; None where there is none.
    runs : (n_repeats,) or (n_stimuli, n_repeats), str
        The run, session or block that each repeat was measured in; empty where it was not. Kept by stimulus.
    volume_shape, affine : (3,), int and (4, 4), float
        Of the volume that ``i, j, k`` are places in; the affine takes them to mm.
    name : str

    Raises
    ------
    InputError
        Shapes that do not fit, ids that occur twice, infinite values.

    Examples
    --------
    >>> import numpy as np
    >>> recordings = Recordings(np.arange(12.0).reshape(3, 2, 2), ["a", "b", "c"], {"region": ["V1", "IT"]})
    >>> recordings
    Recordings: 3 stimuli x 2 units x 2 repeats; regions V1, IT
    >>> recordings.average()[0]
    array([0.5, 2.5])
    """

    values: np.ndarray
    stimulus_ids: tuple[str, ...]
    units: pd.DataFrame
    times: np.ndarray | None = None
    runs: np.ndarray | None = None
    volume_shape: tuple[int, int, int] | None = None
    affine: np.ndarray | None = None
    name: str = ""

    def __init__(
        self,
        values: Any,
        stimulus_ids: Sequence[str],
        units: Any = None,
        times: Any = None,
        runs: Any = None,
        volume_shape: Sequence[int] | None = None,
        affine: Any = None,
        name: str = "",
    ) -> None:
        array = _check_values(values)
        checked = {
            "values": array,
            "stimulus_ids": check_ids(stimulus_ids, len(array), "Recordings.from_trials, which makes repeats of them"),
            "units": make_table(units, array.shape[1], "units"),
            "times": _check_times(times, array),
            "runs": _check_runs(runs, array),
            "volume_shape": None if volume_shape is None else tuple(int(n) for n in volume_shape),
            "affine": None if affine is None else np.asarray(affine, dtype=np.float64),
            "name": str(name),
        }
        for field, value in checked.items():
            object.__setattr__(self, field, value)
        if self.volume_shape is not None and len(self.volume_shape) != 3:
            raise InputError("the three sides of a volume", got=f"{self.volume_shape}")
        if self.affine is not None and self.affine.shape != (4, 4):
            raise InputError("an affine of shape (4, 4)", got=f"{self.affine.shape}")

    @classmethod
    def from_trials(
        cls, values: Any, stimulus_ids: Sequence[str], units: Any = None, *, runs: Any = None, **kept: Any
    ) -> Recordings:
        """Of single trials in the order they were measured in; trials with the same stimulus become its repeats.

        Parameters
        ----------
        values : (n_trials, n_units[, n_times]), float
        stimulus_ids : sequence of str, (n_trials,)
        runs : sequence of str, (n_trials,)
            The run of each trial.
        **kept
            ``times``, ``volume_shape``, ``affine``, ``name``.

        Examples
        --------
        >>> recordings = Recordings.from_trials([[1.0], [2.0], [3.0]], ["a", "b", "a"])
        >>> recordings.values[:, 0].tolist(), recordings.stimulus_ids
        ([[1.0, 3.0], [2.0, nan]], ('a', 'b'))
        """
        trials = np.asarray(values)
        ids = [str(each) for each in stimulus_ids]
        labels = None if runs is None else [str(each) for each in runs]
        if trials.ndim not in (2, 3) or len(ids) != len(trials) or len(labels or ids) != len(trials):
            n_runs = "" if labels is None else f" and {format_count(len(labels), 'run')}"
            raise InputError(
                "trials of shape (n_trials, n_units[, n_times]) and an id for each",
                got=f"{trials.shape}, {format_count(len(ids), 'id')}{n_runs}",
            )
        known = {each: row for row, each in enumerate(dict.fromkeys(ids))}
        seen = [0] * len(known)
        places: list[tuple[int, int]] = []
        for each in ids:
            places.append((known[each], seen[known[each]]))
            seen[known[each]] += 1
        shape = (len(known), trials.shape[1], max(seen, default=0), *trials.shape[2:])
        whole = np.full(shape, np.nan, dtype=np.result_type(trials.dtype, np.float32))
        by_run = np.full(shape[:1] + shape[2:3], "", dtype=object)
        for trial, (row, repeat) in enumerate(places):
            whole[row, :, repeat] = trials[trial]
            by_run[row, repeat] = "" if labels is None else labels[trial]
        return cls(whole, list(known), units, runs=None if labels is None else by_run, **kept)

    def __repr__(self) -> str:
        sizes = zip(("stimuli", "units", "repeats", "times"), self.values.shape, strict=False)
        text = " x ".join(f"{size} {what if size != 1 else what.rstrip('s')}" for what, size in sizes)
        text = text.replace("stimuli", "stimulus") if len(self.values) == 1 else text
        for column, what in (("subject", "subjects"), ("region", "regions")):
            found = [each for each in dict.fromkeys(self.units[column].tolist()) if each]
            text += f"; {what} {', '.join(found[:6])}{', …' if len(found) > 6 else ''}" if found else ""
        return f"Recordings{f' {self.name}' if self.name else ''}: {text}"

    def _repr_html_(self) -> str:
        """Its first units, for notebooks."""
        return render_table(repr(self), self.units)

    @property
    def n_repeats(self) -> int:
        """How many repeats a stimulus has at most."""
        return self.values.shape[2]

    @property
    def measured(self) -> np.ndarray:
        """Which stimuli have a response of each unit, (n_stimuli, n_units), bool."""
        flat = self.values.reshape(*self.values.shape[:2], -1)
        return np.asarray((~np.isnan(flat)).any(axis=2))

    def average(self) -> np.ndarray:
        """Mean over the repeats that were measured, (n_stimuli, n_units[, n_times]); NaN where none was."""
        missing = np.isnan(self.values)
        if not missing.any():
            return self.values.mean(axis=2)
        n = (~missing).sum(axis=2)
        total = np.nansum(self.values, axis=2)
        return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)

    def select(
        self, *, subject: Choice = None, region: Choice = None, stimulus_ids: Sequence[str] | None = None
    ) -> Recordings:
        """Some units, by subject and region, and some stimuli, in the order asked for.

        Raises
        ------
        UnknownNameError
            A subject, region or stimulus that is not there, with the near ones.
        """
        chosen = choose_rows(self.units, {"subject": subject, "region": region}, "units")
        found = self._take_units(chosen)
        if stimulus_ids is None:
            return found
        rows = find_positions(stimulus_ids, self.stimulus_ids)
        runs = None if found.runs is None else found.runs[rows]
        return replace(found, values=found.values[rows], stimulus_ids=tuple(stimulus_ids), runs=runs)

    def select_units(self, units: Any) -> Recordings:
        """Some units, by place (int) or by whether they are wanted (bool), (n_units,)."""
        return self._take_units(np.asarray(units))

    def _take_units(self, chosen: np.ndarray) -> Recordings:
        if chosen.dtype == bool and chosen.all():
            return self
        units = self.units[chosen] if chosen.dtype == bool else self.units.iloc[chosen]
        return replace(self, values=self.values[:, chosen], units=units)

    def split_by(
        self, columns: str | Sequence[str] = ("subject", "region")
    ) -> Iterator[tuple[dict[str, Any], Recordings]]:
        """Each combination of values in columns of :attr:`units`, as a dictionary, with its units.

        >>> recordings = Recordings([[1.0, 2.0], [2.0, 1.0]], ["a", "b"], {"region": ["V1", "IT"]})
        >>> [(labels["region"], part.values.shape) for labels, part in recordings.split_by("region")]
        [('V1', (2, 1, 1)), ('IT', (2, 1, 1))]
        """
        for labels, chosen in iter_groups(self.units, columns):
            yield labels, self._take_units(chosen)

    def compute_reliability(self, method: ReliabilityMethod, *, floor: bool = False) -> np.ndarray:
        """How far each unit's responses repeat, (n_units[, n_times]).

        As :func:`beholder.statistics.compute_reliability`, over repeats. A subject's stimuli are those that it was
        shown.
        """
        from beholder.statistics import compute_reliability

        if self.values.ndim == 3:
            return compute_reliability(self.values, method, floor=floor)
        n_stimuli, n_units, n_repeats, n_times = self.values.shape
        flat = self.values.transpose(0, 1, 3, 2).reshape(n_stimuli, n_units * n_times, n_repeats)
        return compute_reliability(flat, method, floor=floor).reshape(n_units, n_times)

    def save(self, path: Path | str) -> Path:
        """Write as ``{name}.recordings.npz``, which :func:`open_recordings` and ``beholder.open`` read."""
        return write_parts(path, self.take_apart())

    def take_apart(self) -> Parts:
        """What the file holds: its head, with a hash of each array, and the arrays."""
        affine = None if self.affine is None else self.affine.tolist()
        shape = None if self.volume_shape is None else list(self.volume_shape)
        arrays: dict[str, Any] = {"values": self.values}
        if self.times is not None:
            arrays["times"] = self.times
        if self.runs is not None:
            arrays["runs"] = self.runs.astype(np.str_)
        head = {"kind": "recordings", "name": self.name, "volume_shape": shape, "affine": affine}
        return hash_arrays(head, arrays, self.stimulus_ids, self.units)


def _check_values(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype == object or array.dtype.kind not in "biuf":
        raise InputError("responses that are numbers", got=f"an array of {array.dtype}")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim not in (3, 4) or not array.size:
        raise InputError(
            "responses of shape (n_stimuli, n_units, n_repeats) or with n_times at the end", got=f"{np.shape(values)}"
        )
    kind = np.float32 if np.result_type(array.dtype, np.float32) == np.float32 else np.float64
    array = array.astype(kind, copy=False)
    infinite = int(np.isinf(array).sum())
    if infinite:
        raise InputError("finite responses, or NaN for missing ones", got=f"{infinite} infinite values")
    return array


def _check_times(times: Any, values: np.ndarray) -> np.ndarray | None:
    if values.ndim == 3:
        if times is not None:
            raise InputError("times only where values have a fourth axis", got=f"values of shape {values.shape}")
        return None
    found = np.arange(values.shape[3], dtype=np.float64) if times is None else np.asarray(times, dtype=np.float64)
    if times is None or found.shape != values.shape[3:] or not np.all(np.diff(found) > 0):
        got = "none" if times is None else f"{found.shape} values"
        raise InputError(f"{values.shape[3]} times in seconds, ascending", got=got)
    return found


def _check_runs(runs: Any, values: np.ndarray) -> np.ndarray | None:
    if runs is None:
        return None
    found = np.array(
        [[str(each) for each in row] for row in np.atleast_2d(np.asarray(runs, dtype=object))], dtype=object
    )
    if found.shape not in ((1, values.shape[2]), (len(values), values.shape[2])):
        raise InputError(
            f"labels of runs of shape ({values.shape[2]},) or {(len(values), values.shape[2])}", got=f"{found.shape}"
        )
    return np.broadcast_to(found, (len(values), values.shape[2])).copy()
