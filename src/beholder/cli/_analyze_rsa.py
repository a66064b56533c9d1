"""``beholder analyze rsa``: layers against brains, people and other networks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from beholder.cli._analyze_flags import DistanceFlags, DrawFlags, ReadingFlags, ResultFlags
from beholder.cli._flags import Layers, LongFlags, Paths, Words, flags


@flags
class _ComparedFlags(DistanceFlags):
    method: str = "spearman"
    """How RDMs are compared: spearman, rho-a, tau-a, tau-b, pearson, cosine, whitened-cosine, whitened-correlation."""
    conditions: str | None = None
    """A column of the stimuli, or label, their folder: RDMs are of conditions, which the recordings' ids name."""
    replicates: Literal["average", "cross"] = "average"
    """Distances between means over exposures, or between unlike exposures."""
    depth_bins: int | None = None
    """Also means over so many bins of relative depth, which compare networks of unlike depth."""


@flags
class _DrawnFlags(DrawFlags):
    over: Literal["both", "stimuli", "subjects"] = "both"
    """What intervals generalise to: other stimuli and other people, or one of them."""


def rsa(
    activations: list[Path],
    /,
    *,
    recordings: Paths,
    layers: Layers = None,
    by: Words = None,
    compared: _ComparedFlags = _ComparedFlags(),
    drawn: _DrawnFlags = _DrawnFlags(),
    reading: ReadingFlags = ReadingFlags(),
    long: LongFlags = LongFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Compare the RDMs of layers with those of brain regions, of people, or of another network's layers.

    Example: beholder stimuli draw shapes
    Example: beholder units record beholder:shapes --layers block3 block5
    Example: beholder units record beholder:shapes-robust --layers block3 block5
    Example: beholder analyze rsa activations/shapes.mean.zarr --recordings activations/shapes-robust.mean.zarr

    Parameters
    ----------
    activations
        Stores; several are networks or conditions whose differences are told.
    recordings
        Brain data, RDMs, or another network's store; several are regions or conditions whose differences are told.
    layers
        Layers; default all of the store.
    by
        Columns of the recordings that tell targets apart; default region.
    """
    from beholder.analysis import analyze_rsa

    output.run(
        "rsa", analyze_rsa, activations, [reading.open(each) for each in recordings], layers=layers,
        by=tuple(by or ("region",)), out_path=output.out, overwrite=output.overwrite, **vars(compared), **vars(drawn),
        **vars(long),
    )  # fmt: skip
