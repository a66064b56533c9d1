"""The demo's units: drawn, recorded, their exemplars found, made pictures beside them, and where they look."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import ConfigurationChanged

if TYPE_CHECKING:
    from beholder.models import Model
    from beholder.stimuli import ModelStimuli, StimulusSet

logger = logging.getLogger("beholder")

LAYERS = ("block3.norm", "block4.norm", "block5.norm")
N_IMAGES = 3
STEPS = 40
DIVERSITY = 1.0
_MOST_BATCHES = 4
_STIMULI_PER_BATCH = 20
_SPREAD = 0.94
"""Of the stimuli are used at most: the others lie between the queries, which would be alike."""


def show_units(net: Model, stimuli: StimulusSet, folder: Path, n_units: int, seed: int) -> ModelStimuli:
    """Go through the steps of ``beholder units`` for a few units; the report makes a gallery of what they write.

    Parameters
    ----------
    net : Model
    stimuli : StimulusSet
        At least 20.
    folder : path
        Gets ``units.json``, ``activations/`` and ``stimuli/``.
    n_units : int
    seed : int

    Returns
    -------
    ModelStimuli
    """
    from beholder.synthesis import optimize_units
    from beholder.units import find_exemplars, map_units, record_units, sample_units, write_exemplars

    units = sample_units(net, n_units, seed=seed, layers=LAYERS)
    units.save(folder / "units.json")
    acts = redo(lambda **again: record_units(net, stimuli, units, out_path=folder / "activations", **again))
    n_batches = max(1, min(_MOST_BATCHES, int(len(stimuli) * _SPREAD) // _STIMULI_PER_BATCH))
    best = find_exemplars(acts, units, num_batches=n_batches, seed=seed)
    written = redo(lambda **again: write_exemplars(best, folder / "stimuli", stimuli=stimuli, model=net, **again))
    logger.info("demo: drawing what drives %d units", len(units))
    redo(
        lambda **again: optimize_units(
            net, units, N_IMAGES,
            activations=acts, out_path=folder / "stimuli", steps=STEPS, diversity=DIVERSITY, seed=seed, **again,
        )
    )  # fmt: skip
    return redo(lambda **again: map_units(net, written, **again))


def redo(run: Callable[..., Any]) -> Any:
    """Run a step; what an older demo made in another way is made anew."""
    try:
        return run()
    except ConfigurationChanged as change:
        logger.info("demo: making anew: %s", change)
        return run(overwrite=True)
