"""``beholder analyze combine``: what several layers, networks or models explain together, and what each alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._analyze_flags import DistanceFlags, ReadingFlags, ResultFlags
from beholder.cli._flags import Layers, Seed, Words, flags


@flags
class _FittedFlags(DistanceFlags):
    method: Literal["spearman", "pearson"] = "spearman"
    """How predictions are scored, and whether proportions of variance are of ranks."""
    n_folds: int = 2
    """Folds of the stimuli: weights are fitted outside of each and scored inside."""
    n_repeats: int = 20
    """Ways to deal stimuli into folds."""
    n_permutations: int = 200
    """Orders of the stimuli drawn for p; 0 for no test."""
    seed: Seed = 42
    """Seed of folds and permutations."""


def combine(
    activations: list[Path],
    /,
    *,
    recordings: Path,
    layers: Layers = None,
    models: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    by: Words = None,
    fitted: _FittedFlags = _FittedFlags(),
    reading: ReadingFlags = ReadingFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Predict regions by several RDMs together: weighted, unweighted, each alone, and the variance that they share.

    Example: beholder stimuli draw shapes
    Example: beholder units record beholder:shapes --layers block3 block5
    Example: beholder extract beholder:shapes-robust --layers block5 --pool mean --file_format npy
    Example: beholder analyze combine activations/shapes.mean.zarr --recordings
        activations/shapes-robust.mean/block5/activations.npy --stimuli images/

    Parameters
    ----------
    activations
        A store, each of whose layers is a model; several stores are models with all their layers.
    recordings
        Brain data, or RDMs.
    layers
        Layers; default all of the store.
    models
        Files of RDMs that are models, too: of categories, of pixels.
    by
        Columns of the recordings that tell targets apart; default region.
    """
    from beholder.analysis import analyze_combine

    output.run(
        "combine", analyze_combine, activations, reading.open(recordings), layers=layers, models=models,
        by=tuple(by or ("region",)), **vars(fitted),
    )  # fmt: skip
