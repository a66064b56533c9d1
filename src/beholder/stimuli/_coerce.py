"""Making a stimulus set from whatever names stimuli."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from beholder.stimuli._set import StimulusSet


def as_stimulus_set(source: Any) -> StimulusSet:
    """A stimulus set from whatever names stimuli: a set, a folder, a table, arrays, or a path and HDF5 key.

    Parameters
    ----------
    source : StimulusSet, path or array-like
        A folder; a ``.csv``, ``.tsv`` or ``.parquet`` table; an HDF5 file with one data set of pictures; arrays or
        tensors with the stimuli along the first axis.
    """
    if isinstance(source, StimulusSet):
        return source
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.suffix.lower() in {".h5", ".hdf5", ".hdf"}:
            return StimulusSet.from_hdf5(path)
        if path.is_file():
            return StimulusSet.from_table(path)
        return StimulusSet.from_folder(path)
    return StimulusSet.from_arrays(source)
