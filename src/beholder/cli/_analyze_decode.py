"""``beholder analyze decode`` and ``tuning``: what layers tell of the stimuli's conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from beholder.cli._analyze_flags import ResultFlags
from beholder.cli._flags import Layers, Seed


def decode(
    activations: list[Path],
    /,
    *,
    labels: str = "label",
    layers: Layers = None,
    classifier: Literal["centroid", "logistic", "svm", "lda"] = "logistic",
    n_folds: int = 5,
    groups: str | None = None,
    across: str | None = None,
    no_scale: bool = False,
    n_components: int | None = None,
    period: float | None = None,
    reference: str | None = None,
    depth_bins: int | None = None,
    n_permutations: int = 200,
    rnd_seed: Seed = 42,
    output: ResultFlags = ResultFlags(),
) -> None:
    """Tell categories or conditions of stimuli from each layer, and say how well on stimuli left out.

    Example: beholder stimuli draw shapes
    Example: beholder units record beholder:shapes --layers block3 block5
    Example: beholder analyze decode activations/shapes.mean.zarr --labels label --n_folds 4

    Parameters
    ----------
    activations
        Stores; several are networks whose differences are told.
    labels
        Column of the stimuli's table that holds the classes.
    layers
        Layers; default all of the store.
    classifier
        Nearest centroid, logistic regression, linear support vector machine, linear discriminant analysis.
    n_folds
        Folds of stimuli, with each class in every one.
    groups
        Column whose groups no fold tears apart.
    across
        Column of a condition: fit in each, test in each.
    no_scale
        Leave features as they are; default divided by their standard deviation over training stimuli.
    n_components
        Principal components of the training stimuli to keep.
    period
        The labels are numbers around a circle (180: orientation): decode their value in place of a class.
    reference
        With --period: column of values that may attract or repel what is decoded.
    depth_bins
        Also means over so many bins of relative depth, which compare networks of unlike depth.
    n_permutations
        Orders of the labels drawn for p; 0 for no test.
    rnd_seed
        Seed of folds and permutations.
    """
    from beholder.analysis import analyze_decode

    output.run(
        "decode" if period is None else "decode-circular", analyze_decode, activations, labels, layers=layers,
        classifier=classifier, n_folds=n_folds, groups=groups, across=across, scale=not no_scale,
        n_components=n_components, period=period, reference=reference, depth_bins=depth_bins,
        n_permutations=n_permutations, seed=rnd_seed,
    )  # fmt: skip


def tuning(
    activations: Path,
    *,
    condition: str,
    layers: Layers = None,
    period: float | None = None,
    n_permutations: int = 200,
    rnd_seed: Seed = 42,
    output: ResultFlags = ResultFlags(),
) -> None:
    """Tuning of each unit to a numeric or circular condition: preferred value, bandwidth, selectivity.

    Example: beholder stimuli draw shapes
    Example: beholder stimuli grade --grade contrast --levels 0.05 0.1 0.3 1 --in_path images/star
    Example: beholder extract beholder:shapes --layers block3 --in_path stimuli/graded/stimuli.csv
    Example: beholder analyze tuning activations/shapes.zarr --condition level

    Parameters
    ----------
    activations
        A store; a unit is a channel.
    condition
        Column of the stimuli's table that holds numbers.
    layers
        Layers; default all of the store.
    period
        Period of a circular condition: 180 for orientation, 360 for direction.
    n_permutations
        Shuffles of the condition for p; 0 for no test.
    rnd_seed
        Seed of the shuffles.
    """
    from beholder.analysis import analyze_tuning

    output.run(
        "tuning", analyze_tuning, activations, condition, layers=layers, period=period,
        n_permutations=n_permutations, seed=rnd_seed,
    )  # fmt: skip
