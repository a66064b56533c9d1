"""Epochs that MNE-Python saved: read by MNE where it is installed, which Beholder does not require."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder.recordings._arrays import OWN_COLUMNS, PATH_COLUMNS, ReadOptions, name_files, read_trials
from beholder.recordings._recordings import Recordings

_EXPORT = (
    "pip install mne, or saving them where it is installed: numpy.savez('epochs.npz', values=epochs.get_data(), "
    "times=epochs.times, stimulus_id=…) and axes='trial unit time'"
)


def read_epochs(path: Path, given: ReadOptions) -> Recordings:
    """Of ``-epo.fif``: epochs × channels × times; the stimulus of an epoch is in its metadata, or its event's name.

    Channels that are marked as bad are left out. Where ``given.stimuli`` is a table, it has a row for each epoch.
    """
    try:
        mne: Any = importlib.import_module("mne")
    except ModuleNotFoundError as error:
        raise InputError(
            "the package 'mne' for files of epochs", got="an environment without it", hint=_EXPORT
        ) from error
    epochs: Any = mne.read_epochs(path, preload=True, verbose="error")
    epochs.pick("data", exclude="bads")
    values = np.asarray(epochs.get_data(copy=False), dtype=np.float64)
    ids = _name_stimuli(epochs) if given.stimuli is None else given.stimuli
    units = {"channel": list(epochs.ch_names), "type": list(epochs.get_channel_types())}
    places = np.array([channel["loc"][:3] * 1000 for channel in epochs.info["chs"]])
    if np.isfinite(places).all() and places.any():
        units |= {name: places[:, axis] for axis, name in enumerate("xyz")}
    times = np.asarray(epochs.times, dtype=np.float64)
    return read_trials(values, path, replace(given, stimuli=ids), given.units or units, times=times)


def _name_stimuli(epochs: Any) -> list[str]:
    table = epochs.metadata
    column = next((name for name in OWN_COLUMNS if table is not None and name in table.columns), None)
    if table is not None and column is not None:
        found = [str(each) for each in table[column].tolist()]
        return name_files(found) if column in PATH_COLUMNS else found
    names = {code: name for name, code in epochs.event_id.items()}
    return [str(names[code]) for code in epochs.events[:, 2].tolist()]
