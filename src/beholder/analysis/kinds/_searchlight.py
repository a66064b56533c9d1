"""Kind of result: searchlight."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import format_count
from beholder.analysis._result import RESULT_KINDS, Drawing, Result, ResultKind, format_estimate, format_p
from beholder.analysis.kinds._telling import get_figure, shorten_model
from beholder.analysis.searchlight._surface import has_maps, write_searchlight_maps
from beholder.figures import plot_value_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _ask(result: Result) -> str:
    return f"Where is the brain like {shorten_model(result.settings['model']) or 'the network'} (searchlight)?"


def _describe_size(result: Result) -> str:
    asked = result.settings
    if asked["rings"] is not None:
        return f"{asked['rings']} edges of the surface"
    along = " along the surface" if asked["mesh"] else ""
    return f"{asked['radius']:g} {'mm' if asked['in_mm'] or asked['mesh'] else 'voxels'}{along}"


def _tell(result: Result) -> list[str]:
    table: Any = result.table
    told: list[str] = []
    for subject in result.settings["subjects"]:
        peaks = table[(table["subject"] == subject) & (table["statistic"] == "peak") & np.isfinite(table["estimate"])]
        who = subject or "The recordings"
        if not len(peaks):
            told.append(f"{who}: no centre has a value.")
            continue
        row: Any = peaks.loc[peaks["estimate"].idxmax()]
        p = f", {format_p(float(row['p']))} corrected for all centres of the map" if np.isfinite(row["p"]) else ""
        told.append(
            f"{who}: {row['layer']} has the highest peak, {format_estimate(float(row['estimate']))} at {row['place']}"
            f"{p}; {format_count(int(row['n']), 'centre')}. A peak is chosen "
            "for being high and overstates its place's likeness."
        )
    return [*told, str(result.settings["joined"])]


def _describe(result: Result) -> str:
    asked = result.settings
    test = (
        f" p is the proportion of {format_count(asked['n_permutations'], 'map')} "
        "with permuted stimuli whose largest value anywhere "
        f"was as large, one-sided, for each layer by itself (seed {asked['seed']})."
        if asked["n_permutations"]
        else ""
    )
    return (
        f"A searchlight of {_describe_size(result)} around each unit of the mask (Kriegeskorte, N., Goebel, R. & "
        "Bandettini, P., 2006, PNAS 103, 3863-3868) gave RDMs of "
        f"{format_count(asked['n_stimuli'], 'stimulus')} by the distance "
        f"{asked['distance']}, which were compared with those of {format_count(len(asked['layers']), 'layer')} "
        f"({asked['layer_distance']}) by {asked['method']}. Neighbourhoods of "
        f"fewer than {format_count(asked['min_units'], 'unit')} "
        f"were left out.{test}"
    )


def _plot(result: Result, ax: Axes | None) -> Axes:
    table: Any = result.table
    has_p = (table["statistic"] == "proportion of map").any()
    chosen = table[table["statistic"] == ("proportion of map" if has_p else "peak")]
    layers, subjects = list(result.settings["layers"]), list(result.settings["subjects"])
    values = np.full((len(layers), len(subjects)), np.nan)
    for _, row in chosen.iterrows():
        values[layers.index(row["layer"]), subjects.index(row["subject"])] = row["estimate"]
    return plot_value_matrix(
        values, layers, [each or "map" for each in subjects], ax,
        value_name="Proportion of centres with p < .05" if has_p else f"Peak, {result.settings['method']}",
    )  # fmt: skip


def _draw(result: Result) -> Iterator[Drawing]:
    figure = get_figure(_plot(result, None))
    yield Drawing(
        "heat_map", figure, "Matrix of layers by people, how much of the map is like the layer",
        "Light: more of the map." + (" The maps are NIfTI or GIFTI files." if has_maps(result.settings) else ""),
    )  # fmt: skip


def _attach(result: Result, folder: Path, name: str) -> list[Path]:
    """The maps, where recordings told what it takes to write them; a warning says where they did not."""
    if not has_maps(result.settings):
        return []
    return write_searchlight_maps(result, folder / ("maps" if name == result.kind else f"{name}_maps"))


RESULT_KINDS.add("searchlight", ResultKind(_ask, _tell, _describe, _plot, _draw, _attach))
