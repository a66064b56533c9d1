"""``beholder analyze regressions``: published results of voxel regressions, without the raw data."""

from __future__ import annotations

from pathlib import Path

from beholder.cli._analyze_flags import ResultFlags


def regressions(files: list[Path] | None = None, /, *, output: ResultFlags = ResultFlags()) -> None:
    """Summarise the metamer study's published regressions of voxels, read without unpickling.

    Example: beholder analyze regressions

    Parameters
    ----------
    files
        Files voxelwise_regression_….pckl, or folders with them; default the asset fmri-regressions.
    """
    from beholder.analysis import analyze_regressions

    output.run("regressions", analyze_regressions, files or None)
