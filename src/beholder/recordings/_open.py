"""Opening brain data, by what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import explain_read_errors
from beholder._core.progress import logger
from beholder._core.registry import Registry
from beholder._core.wording import format_count
from beholder.recordings._arrays import ReadOptions, read_array_file
from beholder.recordings._bids import read_bids
from beholder.recordings._hdf5 import read_hdf5
from beholder.recordings._labelled import read_netcdf
from beholder.recordings._matlab import read_matlab
from beholder.recordings._mne import read_epochs
from beholder.recordings._named import NAMED, open_named
from beholder.recordings._nifti import is_nifti, read_nifti
from beholder.recordings._rdms import RecordedRDMs
from beholder.recordings._recordings import Recordings
from beholder.recordings._summary import count_faults
from beholder.recordings._voxel_features import VOXEL_TABLE, VOXELS, read_voxel_features

Reader = Callable[[Path, ReadOptions], Recordings | RecordedRDMs]
READERS: Registry[Reader] = Registry("kind of recordings", "beholder.recordings")
"""Suffix in small letters, ``.npy``, to what reads such a file."""

for _suffix, _reader in {
    ".npy": read_array_file, ".npz": read_array_file, ".mat": read_matlab, ".h5": read_hdf5, ".hdf5": read_hdf5,
    ".nc": read_netcdf, ".nc4": read_netcdf, ".fif": read_epochs,
}.items():  # fmt: skip
    READERS.add(_suffix, _reader)


def _choose_reader(path: Path) -> Reader | None:
    if path.name == VOXELS and path.with_name(VOXEL_TABLE).is_file():
        return read_voxel_features
    if path.is_dir():
        return _read_folder
    if is_nifti(path):
        return read_nifti
    suffix = path.suffix.lower()
    if suffix not in READERS:
        return None
    return READERS[suffix]


def _read_folder(path: Path, given: ReadOptions) -> Recordings | RecordedRDMs:
    """Of the study's folder of voxels, or a BIDS derivative."""
    return read_voxel_features(path / VOXELS, given) if (path / VOXELS).is_file() else read_bids(path, given)


_PICKLES = (".pkl", ".pickle", ".pckl", ".joblib")


@suggest_keywords
def open_recordings(
    path: Path | str,
    *,
    stimuli: Any = None,
    units: Any = None,
    variable: str | None = None,
    axes: str | None = None,
    mask: Any = None,
    labels: Any = None,
    events: Path | str | None = None,
    name: str = "",
) -> Recordings | RecordedRDMs:
    """Read recordings, or RDMs as data.

    Parameters
    ----------
    path : path
        ``.recordings.npz``, ``.npy``, ``.npz``, ``.mat``, ``.h5``, ``.nc``, ``.nii``, ``.nii.gz``, ``-epo.fif``, a
        folder of beta series (BIDS), or the metamer study's ``voxel_features_array.npy`` (or its folder). Where there
        is no such path, the name of a published data set that is here: ``rsa-92``, ``algonauts-78``,
        ``fmri-natural-sounds``.
    stimuli : path, sequence of str, DataFrame, optional
        Ids of the stimuli in the order of the rows, a table with a column of them (events of single trials), or a
        folder of stimulus files. Unless given, they are looked for in the file, then in ``{stem}_stimuli.csv``
        (``.tsv``, ``.parquet``) beside it.
    units : path, DataFrame, mapping, optional
        What is known of the units, a row each; unless given, looked for likewise, in ``{stem}_units.csv``. Of RDMs:
        ``{stem}_rdms.csv``.
    variable : str, optional
        Which array of a file with several.
    axes : str, optional
        The names of the array's axes in order: ``stimulus``, ``unit``, ``repeat``, ``time``; ``trial`` where a row is
        a single trial. Unless given ``"stimulus unit repeat time"``, as far as there are axes. RDMs are ``"rdm pair"``
        or ``"rdm stimulus stimulus"``.
    mask : path or mapping of region to path, optional
        Of NIfTI: the voxels that are read, those where the image is not 0. An image with several whole values is an
        atlas: its values are regions.
    labels : path or mapping of int to str, optional
        Names of an atlas' values; a table has the columns ``index`` and ``name``.
    events : path, optional
        Of a folder of beta series: where the ``*_events.tsv`` lie, unless below it.
    name : str
        Of the recordings; unless given, the file's.

    Returns
    -------
    Recordings or RecordedRDMs

    Raises
    ------
    InputError
        One line: what is missing, occurs twice, does not fit, or cannot be read without running code.

    Examples
    --------
    >>> import numpy as np
    >>> np.savez("it.npz", values=np.ones((3, 2)), stimulus_ids=["a", "b", "c"], region=["IT", "V4"])
    >>> open_recordings("it.npz")
    Recordings it: 3 stimuli x 2 units x 1 repeat; regions IT, V4
    """
    path = Path(path)
    given = ReadOptions(stimuli, units, variable, axes, mask, labels, events, name)
    if not path.exists() and str(path) in NAMED:
        return open_named(str(path), given)
    if not path.exists():
        raise InputError("recordings", got=f"nothing at {path}", hint=f"a file, or one of {', '.join(NAMED)}")
    reader = _choose_reader(path)
    if path.suffix.lower() in _PICKLES:
        raise InputError(
            "a file that cannot run anything", got=f"the pickle {path}", hint="saving it anew where you trust it, as "
            "numpy.savez('plain.npz', values=…, stimulus_ids=…), or RDMs.save('rdms.hdf5', file_type='hdf5')",
        )  # fmt: skip
    if reader is None:
        raise UnknownNameError("kind of recordings by its suffix", path.name, [*READERS, ".nii", ".nii.gz"])
    with explain_read_errors(path, "recordings"):
        found = reader(path, given)
    _tell_faults(found, path)
    return found


def _tell_faults(found: Recordings | RecordedRDMs, path: Path) -> None:
    """One line on what nothing can be said of."""
    if isinstance(found, RecordedRDMs):
        missing = int(np.isnan(found.values).sum())
        told = [f"{missing} of {format_count(found.values.size, 'pair')} without a value"] if missing else []
    else:
        sizes = {"stimuli": len(found.stimulus_ids), "units": len(found.units), "missing": found.values.size}
        counts = count_faults(found)
        told = [f"{n} of {sizes[what.split()[0]]} {what}" for what, n in counts.items() if n]
    if told:
        logger.warning("%s: %s", path.name, "; ".join(told))
