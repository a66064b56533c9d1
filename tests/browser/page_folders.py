"""A folder of small results of every kind that a report page shows, drawn instead of computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.metamer_folders import write_metamers, write_null, write_sound_metamers
from tests.unit_folders import write_unit, write_verdicts

from beholder.figures import FigureRecord, plot_rdms, save_figure
from beholder.stimuli import draw_shapes_set


def write_results(folder: Path) -> Path:
    """Pictures, a figure with its table, units with visualisations and maps, metamers of pictures and of sounds."""
    draw_shapes_set(folder / "pictures", n_per_category=1)
    rdm = np.abs(np.subtract.outer(np.arange(12.0), np.arange(12.0)))
    words = FigureRecord(title="Which pictures are alike?", answer="Neighbours are.", alt="Two matrices.")
    save_figure(plot_rdms({"conv1": rdm, "conv2": rdm**2}), folder / "rdms", table={"layer": ["conv1"]}, record=words)
    units = folder / "stimuli" / "net"
    for channel, layer in enumerate(("conv1", "conv2", "conv3")):
        write_unit(units, layer, channel, n_batches=2, n_optimized=3, maps=channel == 0)
    write_verdicts(units, [("conv1", 0, "max", 50.0, 29.0, "yes", ""), ("conv2", 1, "max", 5.0, 29.0, "no", "")])
    write_metamers(folder / "metamers" / "shapes", passed=(True, False))
    write_null(folder / "null_dist" / "shapes")
    write_sound_metamers(folder / "metamers" / "syllables", layers=("cochleagram", "classifier"))
    return folder
