"""Pictures of an RSA of recordings with times: a line a layer, clusters below."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder._core.wording import format_count
from beholder.analysis._result import Drawing, Result
from beholder.analysis.rsa._targets import strip_moment
from beholder.figures import TimeCourse, plot_time_courses

_MOST_PANELS = 4
_MOST_LAYERS = 8
_ALPHA = 0.05


def make_courses(result: Result) -> dict[str, dict[str, TimeCourse]]:
    """Target to the courses of layers, eight at most: those with the highest values."""
    table: Any = result.table
    means = table[(table["statistic"] == "mean over subjects") & table["time"].notna()]
    several = means["source"].nunique() > 1
    moments = [strip_moment(name, time) for name, time in zip(means["target"], means["time"], strict=True)]
    names = [
        f"{source} {layer}" if several else layer for source, layer in zip(means["source"], means["layer"], strict=True)
    ]
    means = means.assign(moment=moments, line=names).sort_values("time", kind="stable")
    clusters = table[(table["statistic"] == "cluster over time") & (table["p"] < _ALPHA)]
    found: dict[str, dict[str, TimeCourse]] = {}
    for target, own in means.groupby("moment", sort=False):
        highest = own.groupby("line", sort=False)["estimate"].max().nlargest(_MOST_LAYERS).index
        lines = [name for name in dict.fromkeys(names) if name in set(highest)]
        found[str(target)] = {}
        for line in lines:
            rows = own[own["line"] == line]
            first = rows.iloc[0]
            mine = (clusters["target"] == target) & (clusters["layer"] == first["layer"])
            mine &= clusters["source"] == first["source"]
            ends = list(zip(clusters["time"][mine], clusters["stop"][mine], strict=True)) if len(clusters) else []
            low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
            found[str(target)][line] = TimeCourse(
                rows["time"].to_numpy(), rows["estimate"].to_numpy(), low, high, [(float(a), float(b)) for a, b in ends]
            )
    return found


def draw_times(result: Result, name: str) -> Drawing:
    """Courses over time, four targets at most."""
    courses = make_courses(result)
    shown = dict(list(courses.items())[:_MOST_PANELS])
    table: Any = result.table
    n = int(table[table["statistic"] == "mean over subjects"]["n"].max())
    fig = plot_time_courses(
        shown,
        name=name,
        note=f"mean over {format_count(n, 'person')}, {format_count(result.settings['n_stimuli'], 'stimulus')}; "
        "bars: clusters with p < .05",
    )
    told = "; ".join(f"{target}: {_tell_peak(lines)}" for target, lines in shown.items())
    more = f" The first {_MOST_PANELS} of {format_count(len(courses), 'target')}." if len(courses) > len(shown) else ""
    n_layers = table[table["statistic"] == "mean over subjects"][["source", "layer"]].drop_duplicates().shape[0]
    if n_layers > _MOST_LAYERS:
        more += f" The {_MOST_LAYERS} of {format_count(n_layers, 'layer')} with the highest values."
    return Drawing(
        "times", fig, f"Lines over time: {told}",
        "Lines: mean over people; bands: 95 % interval of each moment by itself. Bars below: stretches in which "
        "people's comparisons differ from 0, corrected for all moments of that layer; their ends are no onsets." + more,
    )  # fmt: skip


def _tell_peak(lines: dict[str, TimeCourse]) -> str:
    layer, course = max(lines.items(), key=lambda item: float(np.nanmax(item[1].values)))
    place = int(np.nanargmax(course.values))
    return f"{layer} highest at {1000 * course.times[place]:g} ms ({course.values[place]:.2f})"
