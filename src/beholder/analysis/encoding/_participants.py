"""Recordings as matrices to be predicted, participant by participant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.activations import Activations
from beholder.recordings import Recordings


@final
@dataclass(frozen=True, eq=False)
class Participant:
    """Responses of one participant, without gaps.

    Attributes
    ----------
    subject : str
    rows : (n_stimuli,), int
        Places of its stimuli among those asked for.
    responses : (n_stimuli, n_units), float64
        Averaged over the repeats that were measured.
    runs : (n_stimuli, n_units, n_repeats), float64, or None
        NaN for a missing repeat; None where there is but one.
    units : (n_units,), int
        Places among the units of the recordings.
    regions : (n_units,), str
    """

    subject: str
    rows: np.ndarray
    responses: np.ndarray
    runs: np.ndarray | None
    units: np.ndarray
    regions: np.ndarray


def split_participants(recordings: Recordings, stimulus_ids: Sequence[str]) -> tuple[list[Participant], list[str]]:
    """Participants, each with the stimuli and units that it has whole, and sentences on what was left out.

    Parameters
    ----------
    recordings : Recordings
    stimulus_ids : sequence of str
        Of the recordings, in the order wanted.

    Raises
    ------
    InputError
        Recordings with a time axis; nothing left.
    """
    if recordings.times is not None:
        raise InputError(
            "recordings without a time axis, or of one time", got=f"{len(recordings.times)} times",
            hint="Recordings of one time, or averaged over a window",
        )  # fmt: skip
    chosen = recordings.select(stimulus_ids=list(stimulus_ids))
    table: Any = chosen.units
    subjects = np.array([str(name) for name in table["subject"]])
    regions = np.array([str(name) for name in table["region"]])
    averages = np.asarray(chosen.average(), dtype=np.float64)
    found: list[Participant] = []
    notes: list[str] = []
    for subject in dict.fromkeys(subjects.tolist()):
        units = np.flatnonzero(subjects == subject)
        rows = np.flatnonzero(~np.isnan(averages[:, units]).all(axis=1))
        name = f"participant {subject}" if subject else "the recordings"
        if len(rows) < len(averages):
            notes.append(
                f"{len(averages) - len(rows)} of {format_count(len(averages), 'stimulus')} have no response of {name}."
            )
        own = averages[np.ix_(rows, units)]
        has_gaps = np.isnan(own).any(axis=0)
        is_flat = ~has_gaps & ((np.ptp(own, axis=0) <= 1e-12 * np.abs(own).max(axis=0)) if len(rows) else True)
        for left_out, why in (
            (has_gaps, "without responses to some stimuli"),
            (is_flat, "with the same response to all"),
        ):
            if left_out.any():
                notes.append(f"{left_out.sum()} of {format_count(len(units), 'unit')} of {name} {why} were left out.")
        kept = np.flatnonzero(~has_gaps & ~is_flat)
        if not len(kept):
            raise InputError(f"units of {name} with responses that differ between stimuli", got="none")
        places = units[kept]
        runs = None if chosen.n_repeats < 2 else chosen.values[np.ix_(rows, places)].astype(np.float64)
        found.append(Participant(subject, rows, own[:, kept], runs, places, regions[places]))
    return found, notes


def record_channels(acts: Activations) -> Recordings:
    """Another network as recordings: layers are regions, channels units, each its mean over replicates and places."""
    import pandas as pd

    columns: list[np.ndarray] = []
    regions: list[str] = []
    for name in acts.layers:
        layer = acts[name].with_replicates
        has_channels = "channel" in layer.dims
        blocks: list[np.ndarray] = []
        for _, block in layer.iter_blocks():
            values = block.mean(axis=1, dtype=np.float64)
            if has_channels:
                values = np.moveaxis(values, layer.dims.index("channel") - 1, 1)
                values = values.reshape(*values.shape[:2], -1).mean(axis=2)
            blocks.append(values.reshape(len(values), -1))
        columns.append(np.concatenate(blocks))
        regions += [name] * columns[-1].shape[1]
    table: Any = pd.DataFrame({"region": regions})
    return Recordings(np.concatenate(columns, axis=1)[:, :, None], acts.stimulus_ids, table, name=acts.model)
