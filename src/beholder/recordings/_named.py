"""Published brain data by name, as ``beholder assets fetch`` brought them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from beholder._core.errors import InputError
from beholder.recordings._arrays import ReadOptions, read_array_file
from beholder.recordings._matlab import read_matlab
from beholder.recordings._rdms import RecordedRDMs
from beholder.recordings._recordings import Recordings
from beholder.recordings._voxel_features import VOXELS, read_voxel_features
from beholder.stimuli import require_asset

_N_OBJECTS, _N_SCENES = 92, 78


def open_named(name: str, given: ReadOptions) -> Recordings | RecordedRDMs:
    """Recordings or RDMs of an asset.

    Raises
    ------
    InputError
        It is not on this machine; the line says how to fetch it.
    """
    return NAMED[name](require_asset(name), replace(given, name=given.name or name))


def _open_objects(folder: Path, given: ReadOptions) -> RecordedRDMs:
    """RDMs of human inferior temporal cortex over the 92 objects, 4 people × 2 sessions."""
    ids = [f"image_{number + 1:02d}" for number in range(_N_OBJECTS)]
    found = read_matlab(folder / "92_brainRDMs.mat", replace(given, stimuli=ids))
    return _check(found, folder)


def _open_scenes(folder: Path, given: ReadOptions) -> RecordedRDMs:
    """RDMs of early visual and inferior temporal cortex over 78 pictures, 15 people."""
    ids = [f"image_{number + 1:02d}" for number in range(_N_SCENES)]
    parts: list[RecordedRDMs] = []
    for region in ("EVC", "IT"):
        path = folder / "brain_data" / f"fmri_{region}_RDMs.npz"
        parts.append(_check(read_array_file(path, replace(given, stimuli=ids)), folder))
    table = pd.concat([part.table for part in parts], ignore_index=True)
    return RecordedRDMs(np.concatenate([part.values for part in parts]), ids, table, given.name)


def _check(found: Recordings | RecordedRDMs, folder: Path) -> RecordedRDMs:
    if not isinstance(found, RecordedRDMs):
        raise InputError("RDMs", got=f"{folder} with {found!r}")
    return found


def _open_sounds(folder: Path, given: ReadOptions) -> Recordings:
    inside = folder / "fMRI_natsound_data"
    return read_voxel_features((inside if inside.is_dir() else folder) / VOXELS, given)


NAMED: dict[str, Callable[[Path, ReadOptions], Recordings | RecordedRDMs]] = {
    "rsa-92": _open_objects,
    "algonauts-78": _open_scenes,
    "fmri-natural-sounds": _open_sounds,
}
"""Name of an asset to what reads it."""
