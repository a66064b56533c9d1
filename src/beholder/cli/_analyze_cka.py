"""``beholder analyze cka``: all layers with all regions, or with all layers of another network."""

from __future__ import annotations

from pathlib import Path

from beholder.cli._analyze_flags import ReadingFlags, ResultFlags
from beholder.cli._flags import Layers, Seed, Words


def cka(
    activations: Path,
    /,
    *,
    recordings: Path,
    layers: Layers = None,
    biased: bool = False,
    by: Words = None,
    id_pattern: str | None = None,
    n_permutations: int = 200,
    seed: Seed = 42,
    reading: ReadingFlags = ReadingFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Compare all layers with all regions, or with all layers of another network, by linear CKA.

    Example: beholder stimuli draw shapes
    Example: beholder units record beholder:shapes --layers block3 block5
    Example: beholder units record beholder:shapes-robust --layers block3 block5
    Example: beholder analyze cka activations/shapes.mean.zarr --recordings activations/shapes-robust.mean.zarr

    Parameters
    ----------
    activations
        A store.
    recordings
        Another network's store, or recordings of units.
    layers
        Layers of ACTIVATIONS; default all.
    biased
        The biased estimate, which is near 1 between noise where features outnumber stimuli.
    by
        Columns of the recordings that tell targets apart; default region.
    id_pattern
        A regular expression whose group is what the ids of activations and recordings have in common.
    n_permutations
        Orders of the stimuli drawn for p; 0 for no test.
    seed
        Seed of the permutations.
    """
    from beholder.analysis import analyze_cka

    output.run(
        "cka", analyze_cka, activations, reading.open(recordings), layers=layers, debiased=not biased,
        by=tuple(by or ("region",)), id_pattern=id_pattern,
        n_permutations=n_permutations, seed=seed,
    )  # fmt: skip
