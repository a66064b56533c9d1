"""What recordings hold, in numbers: for ``beholder show``, and for the warnings of analyses."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder.recordings._rdms import RecordedRDMs
from beholder.recordings._recordings import Recordings


@suggest_keywords
def summarize_recordings(recordings: Recordings | RecordedRDMs) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Facts by name, and a record for each subject and region.

    Examples
    --------
    >>> recordings = Recordings([[1.0, 2.0], [2.0, 2.0]], ["a", "b"], {"region": ["V1", "IT"]})
    >>> facts, regions = summarize_recordings(recordings)
    >>> facts["units without variance"], regions[1]["region"]
    (1, 'IT')
    """
    if isinstance(recordings, RecordedRDMs):
        missing = np.isnan(recordings.values)
        facts: dict[str, Any] = {
            "rdms": len(recordings.values),
            "stimuli": len(recordings.stimulus_ids),
            "pairs without a value": int(missing.sum()),
        }
        return facts, [
            {**labels, "rdms": len(part.values)} for labels, part in recordings.split_by(("subject", "region"))
        ]
    shape = recordings.values.shape
    facts = {"stimuli": shape[0], "units": shape[1], "repeats": shape[2]}
    if recordings.times is not None:
        facts["times"] = f"{len(recordings.times)} from {recordings.times[0]:g} to {recordings.times[-1]:g} s"
    counts = count_faults(recordings)
    facts |= {what: n for what, n in counts.items() if n}
    regions: list[dict[str, Any]] = []
    for labels, part in recordings.split_by(("subject", "region")):
        record = {**labels, "units": part.values.shape[1], "stimuli": int(part.measured.any(axis=1).sum())}
        regions.append(record)
    return facts, regions


@suggest_keywords
def count_faults(recordings: Recordings) -> dict[str, int]:
    """How many stimuli and units nothing can be said of, and how many values are missing.

    Returns
    -------
    dict of str to int
        ``stimuli without a response``, ``units without a response``, ``units without variance``,
        ``missing values`` (of stimuli and units that were measured: repeats that were not).
    """
    measured = recordings.measured
    rows, units = measured.any(axis=1), measured.any(axis=0)
    missing = np.isnan(recordings.values).reshape(*measured.shape, -1).sum(axis=2)
    return {
        "stimuli without a response": int((~rows).sum()),
        "units without a response": int((~units).sum()),
        "units without variance": int((find_constant_units(recordings) & units).sum()),
        "missing values": int(missing[measured].sum()),
    }


@suggest_keywords
def find_constant_units(recordings: Recordings) -> np.ndarray:
    """Units whose responses, averaged over repeats, are the same for all stimuli but for rounding, (n_units,) bool.

    Of recordings with times, those that are so at every time.
    """
    average = recordings.average()
    n_stimuli, n_units = average.shape[:2]
    flat = average.reshape(n_stimuli, n_units, -1)
    low = np.fmin.reduce(flat, axis=0)
    high = np.fmax.reduce(flat, axis=0)
    with np.errstate(invalid="ignore"):
        varies = high - low > 1e-6 * np.fmax(np.abs(low), np.abs(high)) * (1 if flat.dtype == np.float32 else 1e-6)
    return ~varies.any(axis=1)
