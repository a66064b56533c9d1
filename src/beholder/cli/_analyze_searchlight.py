"""``beholder analyze searchlight``: where in the brain RDMs are like those of layers."""

from __future__ import annotations

from pathlib import Path

from beholder.cli._analyze_flags import ReadingFlags, ResultFlags
from beholder.cli._flags import Layers, Seed, flags


@flags
class _AroundFlags:
    radius: float = 3.0
    """Radius of the ball around each voxel, in voxels; along a surface in mm."""
    in_mm: bool = False
    """The radius is in mm."""
    mesh: Path | None = None
    """A surface (.surf.gii) along whose edges neighbours are sought."""
    rings: int | None = None
    """Neighbours within so many edges of the surface, instead of a radius."""
    min_units: int = 5
    """Neighbourhoods of fewer have no value."""


def searchlight(
    activations: Path,
    /,
    *,
    recordings: Path,
    layers: Layers = None,
    around: _AroundFlags = _AroundFlags(),
    method: str = "spearman",
    distance: str = "correlation",
    layer_distance: str = "correlation",
    id_pattern: str | None = None,
    n_permutations: int = 100,
    seed: Seed = 42,
    reading: ReadingFlags = ReadingFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Compare the RDM around each voxel or vertex with those of all layers; maps as NIfTI or GIFTI.

    Example: beholder analyze searchlight activations/shapes.zarr --recordings voxels.recordings.npz --radius 3

    Parameters
    ----------
    activations
        A store.
    recordings
        Voxels with their places, or vertices.
    layers
        Layers; default all of the store.
    method
        How RDMs are compared: spearman, rho-a, pearson, cosine.
    distance
        How patterns of a neighbourhood are compared: correlation, crossnobis, …
    layer_distance
        How activations of a layer are compared: correlation, …
    id_pattern
        A regular expression whose group is what the ids of activations and recordings have in common.
    n_permutations
        Orders of the stimuli drawn for p, corrected for all centres; 0 for no test.
    seed
        Seed of the permutations.
    """
    from beholder.analysis import analyze_searchlight

    output.run(
        "searchlight", analyze_searchlight, activations, reading.open(recordings), **vars(around), layers=layers,
        method=method, distance=distance, layer_distance=layer_distance, id_pattern=id_pattern,
        n_permutations=n_permutations, seed=seed,
    )  # fmt: skip
