"""``beholder replicate``: the metamer study's whole set of one network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._flags import (
    Layers,
    LongFlags,
    ModelName,
    ModelWord,
    OutputFlags,
    WeightFlags,
    Words,
    flags,
    make_app,
    name_network,
)

app = make_app("replicate")


@flags
class _PlaceFlags:
    stimuli: Path | None = None
    """Stimuli whose metamers are made; default the study's 400 pictures or sentences."""
    natural: Path | None = None
    """Natural stimuli from which random pairs are drawn, such as the network's training set. Needed."""
    labelled: Path | None = None
    """Stimuli with classes, for the attacks; default the held-out set of a bundled network."""
    recordings: Path | None = None
    """Folder of the voxels' responses and of their sounds; default the asset fmri-natural-sounds."""
    judges: Words = None
    """Networks that are asked what the metamers are; default the observer."""
    out_path: Annotated[str, Parameter(name=["--out-path", "-op"])] = "replication"
    """Folder of everything; the observer's name is added."""


@flags
class _NumberFlags:
    recipe: Literal["published", "default"] = "published"
    """Recipe of the metamers: the study's, or the same match in far fewer steps."""
    layers: Layers = None
    """Layers to be matched; default those recorded for the network."""
    iterations: int | None = None
    """At most iterations x repeats steps from one start; default the recipe's."""
    repeats: int | None = None
    """How often the steps are repeated, each time with half the step size; default the recipe's."""
    n_pairs: int = 200_000
    """Random pairs of one draw."""
    n_draws: int = 5
    """Draws of random pairs: of pictures by seeds, of sounds by splits, in order."""
    norm: str | None = None
    """Norm of the attacks: l2, linf or l1; default the published ones."""
    eps: Words = None
    """Radii of the attacks; default the published ones."""
    attack_steps: int | None = None
    """Steps of the attacks; default 64."""
    n_attacked: int | None = None
    """Stimuli that are attacked; default 1,024."""


@app.default
def replicate(
    word: ModelWord = None,
    /,
    *,
    model_name: ModelName = None,
    places: _PlaceFlags = _PlaceFlags(),
    numbers: _NumberFlags = _NumberFlags(),
    weights: WeightFlags = WeightFlags(),
    long: LongFlags = LongFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """Measure what the metamer study measured: metamers, random pairs, judges, regressions, attacks.

    Example: beholder stimuli draw shapes
    Example: beholder replicate beholder:shapes --natural images --stimuli images/star --dry_run
    Example: beholder replicate beholder:shapes --natural images --stimuli images/star --cluster
        script:gpus=1,time=04:00:00

    Parameters
    ----------
    model_name
        The network, in place of the first word.
    """
    from beholder.analysis import replicate

    observer = name_network(word, model_name)
    found = replicate(observer, **vars(places), **vars(numbers), **vars(weights), **vars(long))
    output.print(found.describe(), found.to_dict())
