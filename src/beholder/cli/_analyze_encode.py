"""``beholder analyze encode``: how well layers predict responses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._analyze_flags import ReadingFlags, ResultFlags
from beholder.cli._flags import Layers, LongFlags, Words


def encode(
    activations: Path,
    *,
    recordings: Path,
    layers: Layers = None,
    method: Literal["ridge", "pls", "banded"] = "ridge",
    recipe: Literal["published"] | None = None,
    n_folds: int = 5,
    inner_folds: int | None = None,
    groups: str | None = None,
    alphas: Annotated[list[float] | None, Parameter(consume_multiple=True)] = None,
    n_components: int = 25,
    n_splits: int = 10,
    zero_center: Annotated[bool, Parameter(name=["--zero-center", "-Z"])] = False,
    subject: Words = None,
    region: Words = None,
    id_pattern: str | None = None,
    n_permutations: int = 200,
    predictions: Path | None = None,
    rnd_seed: Annotated[int | None, Parameter(name=["--rnd-seed", "--seed", "-rs"])] = None,
    reading: ReadingFlags = ReadingFlags(),
    long: LongFlags = LongFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Predict responses of voxels, neurons or people from each layer, and say how well on stimuli left out.

    Example: beholder stimuli draw shapes
    Example: beholder units record beholder:shapes --layers block3 block5
    Example: beholder units record beholder:shapes-robust --layers block3 block5
    Example: beholder analyze encode activations/shapes.mean.zarr --recordings activations/shapes-robust.mean.zarr

    Parameters
    ----------
    activations
        A store, or a file natsound_activations.h5, as analyze sounds writes it.
    recordings
        Responses of units, with repeats where there are some; joined by stimulus id.
    layers
        Layers; default all of the store.
    method
        Ridge with a penalty a unit, PLS, or banded: all layers jointly (the extra brain).
    recipe
        The procedure of the metamer study (Feather et al. 2023): random halves, 80 penalties, correction for three
        runs.
    n_folds
        Folds of stimuli, each predicted from the others.
    inner_folds
        Folds within the training stimuli that choose the penalty; default leave-one-out.
    groups
        Column of the stimuli whose groups no fold tears apart.
    alphas
        Penalties; default 21, scaled to the features.
    n_components
        Components of PLS.
    n_splits
        Random halves, with --recipe published.
    zero_center
        Published recipe: subtract the training mean from responses; changes rounding alone.
    subject
        Only these participants.
    region
        Only these regions.
    id_pattern
        A regular expression whose group is what the ids of activations and recordings have in common.
    n_permutations
        Orders of the stimuli drawn for p; 0 for no test.
    predictions
        Store (.zarr) for predicted responses.
    rnd_seed
        Seed of folds and permutations; default 42, with --recipe published 3882.
    """
    from beholder.analysis import analyze_encode

    output.run(
        "encode", analyze_encode, activations, reading.open(recordings), layers=layers, method=method, recipe=recipe,
        n_folds=n_folds, inner_folds=inner_folds,
        groups=groups, alphas=alphas, n_components=n_components, n_splits=n_splits, zero_center=zero_center,
        subject=subject, region=region, id_pattern=id_pattern, n_permutations=n_permutations, predictions=predictions,
        seed=rnd_seed, out_path=output.out, overwrite=output.overwrite, **vars(long),
    )  # fmt: skip
