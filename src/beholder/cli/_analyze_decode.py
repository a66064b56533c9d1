"""``beholder analyze decode`` and ``tuning``: what layers tell of the stimuli's conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from beholder.cli._analyze_flags import ResultFlags
from beholder.cli._flags import Layers, Seed


def decode(
    activations: Path,
    *,
    labels: str = "label",
    layers: Layers = None,
    classifier: Literal["centroid", "logistic", "svm", "lda"] = "logistic",
    n_folds: int = 5,
    groups: str | None = None,
    across: str | None = None,
    no_scale: bool = False,
    n_components: int | None = None,
    n_permutations: int = 200,
    rnd_seed: Seed = 42,
    output: ResultFlags = ResultFlags(),
) -> None:
    """Tell categories or conditions of stimuli from each layer, and say how well on stimuli left out.

    Example: beholder analyze decode activations/resnet50.zarr --labels label

    Parameters
    ----------
    activations
        A store.
    labels
        Column of the stimuli's table that holds the classes.
    layers
        Only these; default all.
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
    n_permutations
        Orders of the labels drawn for p; 0 for no test.
    rnd_seed
        Of folds and permutations.
    """
    from beholder.analysis import analyze_decode

    output.run(
        "decode", analyze_decode, activations, labels, layers=layers, classifier=classifier, n_folds=n_folds,
        groups=groups, across=across, scale=not no_scale, n_components=n_components, n_permutations=n_permutations,
        seed=rnd_seed,
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

    Example: beholder analyze tuning activations/resnet50.zarr --condition orientation --period 180

    Parameters
    ----------
    activations
        A store; a unit is a channel.
    condition
        Column of the stimuli's table that holds numbers.
    layers
        Only these; default all.
    period
        Of a circular condition: 180 for orientation, 360 for direction.
    n_permutations
        Shuffles of the condition for p; 0 for no test.
    rnd_seed
        Of the shuffles.
    """
    from beholder.analysis import analyze_tuning

    output.run(
        "tuning", analyze_tuning, activations, condition, layers=layers, period=period,
        n_permutations=n_permutations, seed=rnd_seed,
    )  # fmt: skip
