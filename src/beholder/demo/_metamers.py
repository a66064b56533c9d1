"""The demo's metamers: of a few pictures and sounds, at a few layers, with the random pairs that they are tested by."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from beholder.demo._units import redo

if TYPE_CHECKING:
    from beholder.models import Model
    from beholder.stimuli import StimulusSet
    from beholder.synthesis import Metamers

logger = logging.getLogger("beholder")

SOUND_MODEL = "beholder:syllables"
PICTURE_LAYERS = ("block1", "block3", "classifier")
SOUND_LAYERS = ("cochleagram", "block2", "classifier")
_ITERATIONS = 60
_PICTURE_PAIRS, _SOUND_PAIRS = 60, 60


def make_demo_metamers(
    net: Model, pictures: StimulusSet, folder: Path, n_stimuli: int, seed: int
) -> tuple[Metamers, Metamers]:
    """Make metamers of pictures and of spoken syllables, and measure random pairs of both.

    Parameters
    ----------
    net : Model
        Of pictures.
    pictures : StimulusSet
    folder : path
        Gets ``syllables/``, ``metamers/`` and ``null_dist/``.
    n_stimuli : int
        Of each sense, at least 1.
    seed : int
        Of the syllables.

    Returns
    -------
    pictures, sounds : Metamers
    """
    from beholder.models import load_model
    from beholder.stimuli import draw_syllables_set

    logger.info("demo: making metamers of pictures")
    step = max(1, len(pictures) // n_stimuli)
    seen = _make(net, pictures[::step][:n_stimuli], pictures, PICTURE_LAYERS, _PICTURE_PAIRS, folder)
    logger.info("demo: making metamers of sounds")
    sounds = draw_syllables_set(folder / "syllables", 1, seed)
    heard = _make(load_model(SOUND_MODEL), sounds[:n_stimuli], sounds, SOUND_LAYERS, _SOUND_PAIRS, folder)
    return seen, heard


def _make(
    net: Model, chosen: StimulusSet, everything: StimulusSet, layers: tuple[str, ...], n_pairs: int, folder: Path
) -> Metamers:
    from beholder.synthesis import make_metamers, null_distribution

    null = {"out_path": folder / "null_dist", "n_pairs": n_pairs}
    redo(lambda **again: null_distribution(net, everything, layers, **null, **again))
    made = {"out_path": folder / "metamers", "iterations": _ITERATIONS, "measured": layers}
    return redo(lambda **again: make_metamers(net, chosen, layers, **made, **again))
