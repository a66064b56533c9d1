"""The responses of auditory cortex to 165 natural sounds, as the metamer study's scripts read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder._core.plain_pickle import read_plain_pickle
from beholder._core.wording import format_count
from beholder.recordings._arrays import ReadOptions
from beholder.recordings._plain import read_npy
from beholder.recordings._recordings import Recordings

VOXELS = "voxel_features_array.npy"
VOXEL_TABLE = "voxel_features_meta.npy"
_SOUNDS, _MASKS = "neural_stim_meta.npy", "roi_masks.cpy"
_N_RUNS = 3


def read_voxel_features(path: Path, given: ReadOptions) -> Recordings:
    """Of ``voxel_features_array.npy``, (n_sounds, n_voxels, 3 runs), with its tables beside it.

    Voxels are kept that have three runs (``n_reps`` of ``voxel_features_meta.npy``), 7,694 of the published ones, as in
    the published analysis. Ids are the names of the sounds (``neural_stim_meta.npy``) without suffix. Subjects are
    ``subj_idx``. Where ``roi_masks.cpy`` is there, a column ``in_{name}`` for each of its overlapping masks says
    whether a voxel is in it; it is read without unpickling.

    Source: Feather et al. (2023), run_regressions_all_voxels_om_natsounddata.py; Norman-Haignere et al. (2015), Neuron
    88, 1281-1296.
    """
    meta, values = read_npy(path.with_name(VOXEL_TABLE)), read_npy(path)
    names = meta.dtype.names or ()
    if "n_reps" not in names or values.ndim != 3 or values.shape[1] != len(meta):
        raise InputError(
            f"{VOXEL_TABLE} with n_reps, a row a voxel of {VOXELS}", got=f"{meta.shape} with {', '.join(names)}"
        )
    whole = meta["n_reps"] == _N_RUNS
    if not whole.any() or values.shape[2] < _N_RUNS:
        raise InputError("voxels with three runs", got=f"none of {len(meta)} in {path}")
    ids = given.stimuli if given.stimuli is not None else _read_sounds(path.with_name(_SOUNDS))
    columns: dict[str, Any] = (
        {"subject": [str(each) for each in meta["subj_idx"][whole]]} if "subj_idx" in names else {}
    )
    for name in names:
        if name not in ("subj_idx", "n_reps") and meta[name].ndim == 1:
            column = meta[name][whole]
            columns[name] = np.char.decode(column, "utf-8", "replace") if column.dtype.kind == "S" else column
    columns |= _read_masks(path.with_name(_MASKS), int(whole.sum()))
    kept = values[:, whole, :_N_RUNS]
    return Recordings(kept, ids, columns, runs=["1", "2", "3"], name=given.pick_name(path))


def _read_sounds(path: Path) -> list[str]:
    table = read_npy(path)
    column = table["filename"] if table.dtype.names and "filename" in table.dtype.names else table
    if table.dtype.names and column is table:
        column = table[table.dtype.names[0]]
    texts = [each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in column.tolist()]
    return [text.removesuffix(".wav") for text in texts]


def _read_masks(path: Path, n_units: int) -> dict[str, Any]:
    """``in_{name}`` for each mask; nothing where the file is not there."""
    if not path.is_file():
        return {}
    return label_masks(read_plain_pickle(path), n_units, str(path))


def label_masks(content: Any, n_units: int, where: str) -> dict[str, Any]:
    """Columns ``in_{name}``, bool, of ``masks`` (n_units, n_masks) and ``mask_names``."""
    try:
        masks, names = np.asarray(content["masks"]), [str(each) for each in content["mask_names"]]
    except (TypeError, KeyError) as error:
        raise InputError("masks and mask_names", got=f"{where} without ({error})") from error
    if masks.shape != (n_units, len(names)):
        raise InputError(f"masks of {format_count(n_units, 'voxel')}", got=f"{masks.shape} in {where}")
    return {f"in_{name}": masks[:, place] != 0 for place, name in enumerate(names)}
