"""Making a stimulus set from whatever names stimuli."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from beholder.stimuli._set import StimulusSet

_HDF5 = frozenset({".h5", ".hdf5", ".hdf"})


def as_stimulus_set(source: Any, *, skip_bad: bool = False) -> StimulusSet:
    """A stimulus set from whatever names stimuli: a set, a folder, a table, an HDF5 file, or arrays.

    Parameters
    ----------
    source : StimulusSet, path or array-like
        A folder; a ``.csv``, ``.tsv`` or ``.parquet`` table; an HDF5 file with one data set of pictures, or
        ``file.h5/data/set`` to say which; arrays or tensors with the stimuli along the first axis.
    skip_bad : bool
        Leave out files of a folder or table that are missing or cannot be read.
    """
    if isinstance(source, StimulusSet):
        return source
    if not isinstance(source, (str, os.PathLike)):
        return StimulusSet.from_arrays(source)
    path = Path(source)
    for place in (path, *path.parents):
        if place.suffix.lower() in _HDF5 and not place.is_dir() and (place == path or place.is_file()):
            key = path.relative_to(place).as_posix()
            return StimulusSet.from_hdf5(place, None if key == "." else key)
    if path.is_file():
        return StimulusSet.from_table(path, skip_bad=skip_bad)
    return StimulusSet.from_folder(path, skip_bad=skip_bad)
