"""What the HDF5 files of a panel take, for a dry run: the part of a few stimuli is written, and measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder.activations.extraction._plan import read_passes
from beholder.activations.formats._panel import write_panel_file
from beholder.jobs import Probe, place_output

_N_TRIED = 8


@final
@dataclass(frozen=True)
class BlankLayer:
    """A layer of zeros: shape (n_stimuli, n_replicates, *features)."""

    shape: tuple[int, ...]
    stimulus_ids: tuple[str, ...]
    dtype: Any = np.float32

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.broadcast_to(np.float32(0), self.shape)[index]


def measure_file(
    probe: Probe,
    path: Path,
    stores: dict[str, Path],
    stimulus_ids: tuple[str, ...],
    n_replicates: int,
    *,
    average_replicates: bool,
) -> None:
    """Say what one file of all models takes.

    Parameters
    ----------
    probe : Probe
    path : path
        The file.
    stores : dict of str to path
        Where each model's activations would be.
    stimulus_ids : tuple of str
    n_replicates : int
    average_replicates : bool
    """
    shapes = {
        name: {layer.name: layer.layout.features for job in read_passes(place_output(store)) for layer in job.layers}
        for name, store in stores.items()
    }
    tried = place_output(path).with_suffix(".tried.h5")

    def write(n: int) -> tuple[int, float]:
        """Bytes and seconds of a file of the first ``n`` stimuli."""
        ids = stimulus_ids[:n]
        models = {
            name: {layer: BlankLayer((len(ids), n_replicates, *shape), ids) for layer, shape in layers.items()}
            for name, layers in shapes.items()
        }
        begun = time.monotonic()
        write_panel_file(tried, models, average_replicates=average_replicates, replace=True)
        seconds, size = time.monotonic() - begun, tried.stat().st_size
        tried.unlink()
        return size, seconds

    n = len(stimulus_ids)
    few = min(n, _N_TRIED)
    size, seconds = write(few)
    if few < n:
        more = min(n, 2 * few)
        second = write(more)
        size += round((second[0] - size) * (n - few) / (more - few))
        seconds = second[1] * n / more
    probe.add_work(f"write {path.name}", "stimuli", n, size, seconds)
