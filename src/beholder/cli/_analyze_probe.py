"""``beholder analyze probe``: classes read out of frozen layers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._analyze_flags import ResultFlags
from beholder.cli._flags import Layers, LongFlags, Seed


def probe(
    activations: Path,
    /,
    *,
    labels: str = "label",
    layers: Layers = None,
    recipe: Literal["logistic", "simclr", "moco", "hmax"] = "logistic",
    penalties: Annotated[list[float] | None, Parameter(consume_multiple=True)] = None,
    split: str = "stratified",
    groups: str | None = None,
    scale: Literal["yes", "no"] | None = None,
    rnd_seed: Seed = 42,
    long: LongFlags = LongFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Read classes out of each layer by a linear probe: one part of the stimuli fits, one chooses, one tests.

    Example: beholder stimuli draw shapes
    Example: beholder units record beholder:shapes --layers block3 block5
    Example: beholder analyze probe activations/shapes.mean.zarr --labels label

    Parameters
    ----------
    activations
        A store; layers may be larger than memory.
    labels
        Column of the stimuli's table that holds the classes.
    layers
        Layers; default all of the store. More may be added later.
    recipe
        Logistic regression whose penalty is chosen, or stochastic gradient descent, as published for read-outs of
        SimCLR, MoCo or HMAX.
    penalties
        Values of C to choose from; default 1e-4 to 1e4.
    split
        stratified or hash, .6 to fit, .2 to choose, .2 to test by ids; or a column of train, validation and test.
    groups
        Column whose groups no part tears apart.
    scale
        Standardise features by the part that is fitted; default for logistic regression only.
    rnd_seed
        Seed of the split, and of a recipe's first weights and order.
    """
    from beholder.analysis import analyze_probe

    output.run(
        "probe", analyze_probe, activations, labels, layers=layers, recipe=recipe, penalties=penalties, split=split,
        groups=groups, scale=None if scale is None else scale == "yes", out_path=output.out,
        overwrite=output.overwrite, seed=rnd_seed, **vars(long),
    )  # fmt: skip
