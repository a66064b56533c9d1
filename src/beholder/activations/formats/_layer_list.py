"""The metamer study's HDF5 file of sounds: ``layer_list``, and a dataset (n_sounds, n_features) a layer.

Ours hold ``stimulus_ids`` beside them, which its readers pass over; files of its script have none, their rows lie in
the order of ``neural_stim_meta.npy``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.activations.formats._hdf5 import create_hdf5, open_hdf5
from beholder.activations.formats._rows import LayerValues, with_replicates

LAYER_LIST = "layer_list"
STIMULUS_IDS = "stimulus_ids"


@suggest_keywords
def write_layer_list_file(path: Path | str, layers: Mapping[str, LayerValues], *, average_time: bool) -> Path:
    """Write layers to one file in the study's layout.

    Parameters
    ----------
    path : path
        The ``.h5`` file.
    layers : mapping of str to LayerValues, a store's layer or (n_stimuli, n_replicates, *features)
        Of the same stimuli; replicates are averaged.
    average_time : bool
        Average over the last of three feature axes, (channel, frequency, time), as the study's regressions want it;
        others stay as they are.

    Raises
    ------
    InputError
        No layer, or layers of different stimuli.
    """
    path = Path(path)
    if not layers:
        raise InputError("at least one layer", got="none")
    layers = {name: with_replicates(values) for name, values in layers.items()}
    ids = [str(name) for name in next(iter(layers.values())).stimulus_ids]
    for name, values in layers.items():
        if [str(each) for each in values.stimulus_ids] != ids:
            raise InputError("the same stimuli at every layer", got=f"others at {name}")
    with create_hdf5(path) as writer:
        writer.write_array(writer.file.id, LAYER_LIST, np.array([name.encode() for name in layers]))
        for name, values in layers.items():
            writer.write_rows(name, _Flat(values, average_time=average_time))
        writer.write_strings(STIMULUS_IDS, ids)
    return path


@final
class _Flat:
    """Rows of a layer as the file holds them, read when sliced."""

    def __init__(self, values: LayerValues, *, average_time: bool) -> None:
        self._values = values
        features = tuple(int(size) for size in values.shape[2:])
        self._averages = average_time and len(features) == 3
        n_features = math.prod(features[:2] if self._averages else features)
        self.shape: tuple[int, ...] = (int(values.shape[0]), n_features)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, index: slice) -> np.ndarray:
        rows = np.asarray(self._values[index]).mean(axis=1, dtype=np.float64)
        rows = rows.mean(axis=-1) if self._averages else rows
        return rows.reshape(len(rows), -1).astype(np.float32)


@suggest_keywords
def read_layer_list_file(path: Path | str) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Layers of a file in the study's layout, in its order, and the stimuli's ids; none in files of its script.

    Returns
    -------
    layers : dict of str to array, (n_stimuli, n_features)
    stimulus_ids : tuple of str

    Raises
    ------
    InputError
        A file of another layout.
    """
    with open_hdf5(path) as opened:
        file: Any = opened
        if LAYER_LIST not in file:
            raise InputError(f"an HDF5 file with {LAYER_LIST}, one dataset a layer", got=f"{path} without it")
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in file[LAYER_LIST][:]]
        missing = [name for name in names if name not in file]
        if missing:
            raise InputError(f"a dataset for each layer of {LAYER_LIST}", got=f"{path} without {missing[0]}")
        layers = {name: np.asarray(file[name]) for name in names}
        ids = [name.decode() for name in file[STIMULUS_IDS][:]] if STIMULUS_IDS in file else []
    return layers, tuple(ids)
