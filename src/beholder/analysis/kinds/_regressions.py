"""Kind of result: published regressions of voxels, summarised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import format_count, format_share
from beholder.analysis._result import RESULT_KINDS, Drawing, Result, ResultKind, format_estimate
from beholder.figures import CurvePanel, LayerCurve, plot_layer_curve, plot_layer_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = "Corrected variance explained (median)"
_MOST_PANELS = 6


def _ask(result: Result) -> str:
    return f"How well did the stages of {', '.join(result.settings['models'])} predict voxels (published)?"


def _tell(result: Result) -> list[str]:
    table: Any = result.table
    told: list[str] = []
    for model, own in table[table["target"] == "all"].groupby("model", sort=False):
        stages, best = own[own["statistic"] == "published r2"], own[own["statistic"] == "best stage"].iloc[0]
        row: Any = stages.loc[stages["estimate"].idxmax()]
        told.append(
            f"{model}: of {format_count(int(row['n']), 'voxel')}, {row['layer']} "
            f"predicts most, {format_estimate(row['estimate'])} "
            f"of the variance that can be (median); with each voxel's best stage on the same data, an upper bound, "
            f"{format_estimate(best['estimate'])} ({format_share(best['above_1'])} of voxels above 1, kept)."
        )
    return told


def _describe(result: Result) -> str:
    return (
        "Published results of voxelwise regressions (Feather, J. et al., 2023, Nature Neuroscience 26, 2017-2034) of "
        f"{format_count(len(result.settings['models']), 'network')} were "
        "summarised as there: the median over splits of each voxel's "
        "corrected variance explained, then the median over voxels, of all and within each mask. Nothing was fitted."
    )


def _make_panel(result: Result, target: str) -> CurvePanel:
    table: Any = result.table
    own = table[(table["target"] == target) & (table["statistic"] == "published r2")]
    curves: dict[str, LayerCurve] = {}
    for model, rows in own.groupby("model", sort=False):
        empty = np.full(len(rows), np.nan)
        curves[str(model)] = LayerCurve(list(rows["layer"]), rows["estimate"].to_numpy(), empty, empty)
    return CurvePanel(curves)


def _plot(result: Result, ax: Axes | None) -> Axes:
    return plot_layer_curve(_make_panel(result, "all"), ax, name=_NAME, title="all voxels")


def _draw(result: Result) -> Iterator[Drawing]:
    table: Any = result.table
    targets = [str(each) for each in dict.fromkeys(table["target"])]
    panels = {name: _make_panel(result, name) for name in targets[:_MOST_PANELS]}
    fig = plot_layer_curves(panels, name=_NAME)
    yield Drawing(
        "stages", fig, f"Curves over stages for {', '.join(panels)}",
        "Dots: median over voxels of the published corrected variance explained, by stage, the input first and what "
        "follows the last block at the end; a panel for all voxels and for each mask.",
    )  # fmt: skip


RESULT_KINDS.add("regressions", ResultKind(_ask, _tell, _describe, _plot, _draw))
