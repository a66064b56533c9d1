"""Recordings put together: subjects from files of their own, runs after one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import logger
from beholder.recordings._recordings import Recordings


@suggest_keywords
def combine_subjects(parts: Sequence[Recordings], *, name: str = "") -> Recordings:
    """The units of several recordings beside each other; stimuli join by id.

    A stimulus that one of them lacks is missing (NaN) for its units. Repeats are as many as the most has.

    Parameters
    ----------
    parts : sequence of Recordings
        With the same times, or none. Labels of runs are kept where all agree; a warning says where they do not.

    Examples
    --------
    >>> one = Recordings([[1.0], [2.0]], ["a", "b"], {"subject": ["1"]})
    >>> other = Recordings([[3.0], [4.0]], ["b", "c"], {"subject": ["2"]})
    >>> combine_subjects([one, other]).average().tolist()
    [[1.0, nan], [2.0, 3.0], [nan, 4.0]]
    """
    import pandas as pd

    _check_parts(parts)
    ids = list(dict.fromkeys(each for part in parts for each in part.stimulus_ids))
    rows = {each: row for row, each in enumerate(ids)}
    n_repeats = max(part.n_repeats for part in parts)
    n_units = sum(part.values.shape[1] for part in parts)
    shape = (len(ids), n_units, n_repeats, *parts[0].values.shape[3:])
    values = np.full(shape, np.nan, dtype=np.result_type(*[part.values.dtype for part in parts]))
    start = 0
    for part in parts:
        stop = start + part.values.shape[1]
        chosen = [rows[each] for each in part.stimulus_ids]
        values[chosen, start:stop, : part.n_repeats] = part.values
        start = stop
    units = pd.concat([part.units for part in parts], ignore_index=True)
    runs = parts[0].runs
    alike = all(part.stimulus_ids == parts[0].stimulus_ids and _equal(part.runs, runs) for part in parts)
    if not alike and any(part.runs is not None for part in parts):
        logger.warning("Subjects saw the stimuli in different runs: labels of runs are kept in the parts alone")
    volume = _common_volume(parts)
    return Recordings(values, ids, units, parts[0].times, runs if alike else None, *volume, name=name)


@suggest_keywords
def combine_runs(parts: Sequence[Recordings], *, name: str = "") -> Recordings:
    """Repeats of several recordings of the same units after each other; stimuli join by id.

    Parameters
    ----------
    parts : sequence of Recordings
        With equal tables of units, in the same order.

    Examples
    --------
    >>> one = Recordings([[1.0], [2.0]], ["a", "b"], runs=["1"])
    >>> other = Recordings([[3.0], [4.0]], ["b", "a"], runs=["2"])
    >>> combine_runs([one, other]).values[:, 0].tolist()
    [[1.0, 4.0], [2.0, 3.0]]
    """
    _check_parts(parts)
    first = parts[0]
    differing = sum(not part.units.equals(first.units) for part in parts)
    if differing:
        raise InputError("runs of the same units", got=f"{differing} of {len(parts)} with other units")
    labelled = [part.runs is not None for part in parts]
    if any(labelled) and not all(labelled):
        raise InputError("labels of runs in all parts or in none", got=f"{sum(labelled)} of {len(parts)} with labels")
    trials: list[np.ndarray] = []
    ids: list[str] = []
    runs: list[str] = []
    for part in parts:
        by_repeat = np.moveaxis(part.values, 2, 1).reshape(len(part.values), part.n_repeats, -1)
        measured = np.asarray((~np.isnan(by_repeat)).any(axis=2))
        for row, stimulus in enumerate(part.stimulus_ids):
            for repeat in np.flatnonzero(measured[row]):
                trials.append(part.values[row, :, repeat])
                ids.append(stimulus)
                runs.append("" if part.runs is None else str(part.runs[row, repeat]))
    if not trials:
        raise InputError("responses in at least one run", got="none that was measured")
    kept = {"times": first.times, "volume_shape": first.volume_shape, "affine": first.affine, "name": name}
    return Recordings.from_trials(np.stack(trials), ids, first.units, runs=runs if all(labelled) else None, **kept)


def _check_parts(parts: Sequence[Recordings]) -> None:
    if not parts:
        raise InputError("recordings to put together", got="none")
    if not all(_equal(part.times, parts[0].times) for part in parts):
        raise InputError("the same times in all recordings", got="several")


def _equal(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def _common_volume(parts: Sequence[Recordings]) -> tuple[tuple[int, int, int] | None, np.ndarray | None]:
    """Shape and affine of the volume that all lie in; none where they differ."""
    first = parts[0]
    alike = all(part.volume_shape == first.volume_shape and _equal(part.affine, first.affine) for part in parts)
    return (first.volume_shape, first.affine) if alike else (None, None)
