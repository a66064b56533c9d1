"""How recognition is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import format_count
from beholder.analysis._result import Drawing, Result, format_estimate, format_interval
from beholder.analysis.kinds._recognition_words import pick
from beholder.analysis.kinds._telling import get_figure
from beholder.analysis.recognition._cues import POOLED, SHAPE_BIAS
from beholder.analysis.recognition._generators import CORRELATION, MEASURES, RECOGNISED, average_layers
from beholder.analysis.recognition._proportions import NETWORK, PEOPLE, PERSON, PROPORTION
from beholder.figures import (
    plot_confusions,
    plot_matched_scatter,
    plot_network_scatter,
    plot_observer_proportions,
    plot_proportion_matrix,
    plot_recognition_curves,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 6
_MOST_MATRICES = 4
_MOST_CELL_MATRICES = 4
_MOST_NETWORKS = 6
_Line = dict[str, tuple[float, float, float]]
_ALL_STIMULI = "all stimuli"


def plot_recognition(result: Result, ax: Axes | None) -> Axes:
    """The main picture: curves of the first panel; of one condition the observers."""
    if ax is None:
        figure: Any = _draw_main(result)
        return figure.axes[0]
    panels, _ = _list_panels(result)
    lines = next(iter(panels.values()))
    if all(len(line) == 1 for line in lines.values()):
        return plot_observer_proportions(
            _name_rows(lines), ax, value_name="Correct (%)", interval=_say_intervals(result)
        )
    from beholder.figures import plot_layer_lines

    return plot_layer_lines(
        lines, ax, value_name="Proportion correct", interval=_say_intervals(result), chance=result.settings["chance"]
    )


def draw_recognition(result: Result) -> Iterator[Drawing]:
    """Every picture that there is something to draw of."""
    asked = result.settings
    panels, _ = _list_panels(result)
    if panels:
        yield Drawing(
            "curves", _draw_main(result), f"Proportion correct by {' and '.join(asked['by']) or 'observer'}.",
            "Black: people, small grey dots single ones; colours: networks. Chance is the dashed line.",
        )  # fmt: skip
    yield from _draw_matched(result)
    yield from _draw_cues(result)
    yield from _draw_generators(result)
    yield from _draw_measures(result)
    yield from _draw_confusions(result)


def _draw_main(result: Result) -> Figure:
    panels, single = _list_panels(result)
    asked = result.settings
    words = _say_intervals(result)
    if all(len(line) == 1 for lines in panels.values() for line in lines.values()):
        lines = next(iter(panels.values()))
        dots = {"people": [proportion for own in single.values() for each in own.values() for proportion in each]}
        ax: Any = plot_observer_proportions(
            _name_rows(lines), value_name="Correct (%)", interval=words, reference=asked["chance"],
            reference_name=_say_chance(asked["chance"]), single=dots,
        )  # fmt: skip
        return get_figure(ax)
    more = len(panels) > _MOST_PANELS
    shown = dict(list(panels.items())[:_MOST_PANELS])
    if more:
        words += f"; the first {_MOST_PANELS} of {format_count(len(panels), 'network')}"
    return plot_recognition_curves(
        shown, single=single, chance=asked["chance"], interval=words,
        place_name=asked["by"][-1].capitalize() if asked["by"] else "", is_ordered=_is_ordered(asked),
    )  # fmt: skip


def _is_ordered(asked: dict[str, Any]) -> bool:
    """Whether stages follow one another, as layers and levels do, so that a line may join them."""
    if asked["by"] and asked["by"][-1] in ("layer", "level"):
        return True
    try:
        return all(math.isfinite(float(cell["place"])) for cell in asked["cells"])
    except ValueError:
        return False


def _say_chance(chance: float | None) -> str:
    return f"chance {100 * chance:.3g} %" if chance else ""


def _name_rows(lines: dict[str, _Line]) -> dict[str, _Line]:
    """Each observer in a row of its own."""
    return {name: {name: next(iter(line.values()))} for name, line in lines.items()}


def _list_panels(result: Result) -> tuple[dict[str, dict[str, _Line]], dict[str, dict[str, list[float]]]]:
    """Title, observer, stage to proportion and interval; and the proportions of single people."""
    asked = result.settings
    generators = list(dict.fromkeys(cell["generator"] for cell in asked["cells"] if cell["generator"]))
    rows = pick(result, PROPORTION)
    panels: dict[str, dict[str, _Line]] = {}
    single: dict[str, dict[str, list[float]]] = {}
    for generator in generators or [""]:
        for cell in asked["cells"]:
            if cell["generator"] not in ("", generator):  # originals of all generators are none's
                continue
            title = f"Made for {generator}" if generator else cell["panel"]
            stage = cell["place"] if len(asked["cells"]) > 1 else _ALL_STIMULI
            for row in rows:
                if (row["generator"], row["layer"], row["target"]) != (
                    cell["generator"], cell["layer"], cell["target"],
                ) or math.isnan(row["estimate"]):  # fmt: skip
                    continue
                if row["observer"] == PERSON:
                    single.setdefault(title, {}).setdefault(stage, []).append(row["estimate"])
                else:
                    line = panels.setdefault(title, {}).setdefault(row["model"] or "people", {})
                    line[stage] = (row["estimate"], row["low"], row["high"])
    for lines in panels.values():
        for name in [each for each in lines if each != "people"][_MOST_NETWORKS * 4 :]:
            del lines[name]
    return panels, single


def _say_intervals(result: Result) -> str:
    asked = result.settings
    parts: list[str] = []
    if asked["n_people"] > 1:
        parts.append(f"over {_say_n(result, PEOPLE)} people")
    if asked["form"] == "matrices":
        parts.append("of the network over their stimuli")
    elif asked["networks"]:
        parts.append(f"of networks over {_say_n(result, NETWORK)} stimuli")
    elif asked["n_people"] == 1:
        parts.append(f"over {_say_n(result, PEOPLE)} stimuli")
    return "line: 95 % interval " + ",\n".join(parts)


def _say_n(result: Result, observer: str) -> str:
    rows = pick(result, PROPORTION, observer)
    several = len(result.settings["cells"]) > 1
    counts = sorted({int(row["n"]) for row in rows if not several or row["target"] != "all"})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def _draw_matched(result: Result) -> Iterator[Drawing]:
    for place, told in enumerate(result.settings["matched"][:_MOST_MATRICES]):
        values = result.arrays.get(f"matched_{place}")
        if values is None or not np.isfinite(values).all(axis=2).any():
            continue
        ax: Any = plot_matched_scatter(values, told["stages"], network=told["name"], chance=result.settings["chance"])
        yield Drawing(
            f"matched_{place}", get_figure(ax),
            f"Proportion correct of each person on that of {told['name']} for the very same stimuli.",
            "" if place else "Above the line people are right more often than the network on what they were shown.",
        )  # fmt: skip


def _draw_cues(result: Result) -> Iterator[Drawing]:
    table: Any = result.table
    rows = table[(table["statistic"] == SHAPE_BIAS) & (table["target"] == "all") & (table["method"] != POOLED)]
    if not len(rows):
        return
    proportions: dict[str, _Line] = {}
    single: dict[str, list[float]] = {}
    for row in rows.to_dict("records"):
        if math.isnan(row["estimate"]):
            continue
        if row["observer"] == PERSON:
            single.setdefault("all", []).append(row["estimate"])
            continue
        name, label = row["model"] or "people", row["truth"] or "all"
        proportions.setdefault(name, {})[label] = (row["estimate"], row["low"], row["high"])
    proportions = {name: {"all": line["all"], **line} for name, line in proportions.items() if "all" in line}
    if not proportions:
        return
    n_people = result.settings["n_people"]
    words = ",\n".join(
        ([f"over {format_count(n_people, 'person')}"] if n_people > 1 else [])
        + (["of networks over stimuli"] if len(proportions) > 1 else [])
    )
    ax: Any = plot_observer_proportions(
        proportions, value_name="proportion of shape (%)", interval=f"line: 95 % interval {words}", reference=0.5,
        reference_name="", ends=("texture", "shape"), single=single,
    )  # fmt: skip
    yield Drawing(
        "shape_bias", get_figure(ax), "Shape bias of every observer, in all and by the label of the shape.",
        "Of answers by shape or texture, the proportion by shape. Rows: label of the shape.",
    )  # fmt: skip


def _draw_generators(result: Result) -> Iterator[Drawing]:
    rows = pick(result, RECOGNISED)
    makers = list(dict.fromkeys(row["generator"] for row in rows))
    judges = sorted({row["model"] or "people" for row in rows}, key=lambda name: (name != "people", name))
    if len(makers) * len(judges) < 2:
        return
    matrix = np.full((len(makers), len(judges)), np.nan)
    for row in rows:
        matrix[makers.index(row["generator"]), judges.index(row["model"] or "people")] = row["estimate"]
    ax: Any = plot_proportion_matrix(
        matrix, makers, judges, row_name="Made for", column_name="Recognised by", value_name="Recognised (%)"
    )
    yield Drawing(
        "generators", get_figure(ax), "Who recognises stimuli that were made for which network.",
        "All layers together, natural stimuli left out.",
    )  # fmt: skip


def _draw_measures(result: Result) -> Iterator[Drawing]:
    recognised = average_layers(pick(result, PROPORTION))
    for key, name in MEASURES.items():
        values = {row["generator"]: row["estimate"] for row in pick(result, name)}
        both = [each for each in recognised if each in values]
        if len(both) < 2:
            continue
        (r,) = pick(result, CORRELATION[key])
        told = format_estimate(r["estimate"])
        words = f"r = {told} {format_interval(r['low'], r['high'])}, n = {format_count(r['n'], 'network')}".replace(
            " ,", ","
        )
        scale = 100 if key == "attacked" else 1
        ax: Any = plot_network_scatter(
            [100 * recognised[each] for each in both], [scale * values[each] for each in both], both,
            x_name="Recognised by people (%)", y_name=name.capitalize() + (" (%)" if key == "attacked" else ""),
            words=words,
        )  # fmt: skip
        yield Drawing(
            key, get_figure(ax), f"{name.capitalize()} of networks on people's recognition of their stimuli.",
            "A dot is a network; recognition is the mean over its layers.",
        )  # fmt: skip


def _name_cell(cell: dict[str, Any]) -> str:
    """A condition in words."""
    return " ".join(each for each in (cell["generator"], cell["layer"], cell["target"]) if each) or str(cell["stage"])


def _draw_confusions(result: Result) -> Iterator[Drawing]:
    counts = result.arrays.get("confusions")
    if counts is None:
        return
    names = [str(name) or "people" for name in result.arrays["confusions_observers"]]
    totals = counts.sum(axis=1)
    shown = {name: totals[k] for k, name in enumerate(names) if totals[k].sum() > 0}
    labels = [str(each) for each in result.arrays["confusions_labels"]]
    answers = [str(each) for each in result.arrays["confusions_answers"]]
    if not shown:
        return
    few = dict(list(shown.items())[:_MOST_MATRICES])
    more = f" The first {len(few)} of {format_count(len(shown), 'observer')}." if len(shown) > len(few) else ""
    yield Drawing(
        "confusions", plot_confusions(few, labels, answers), "Confusion matrices: which answers follow which label.",
        f"Rows add up to 100 %; all conditions together.{more}",
    )  # fmt: skip
    cells: list[dict[str, Any]] = result.settings["cells"]
    for place, cell in enumerate(cells if 1 < len(cells) <= _MOST_CELL_MATRICES else ()):
        here = {name: counts[k, place] for k, name in enumerate(names) if name in few and counts[k, place].sum() > 0}
        told = _name_cell(cell)
        if here:
            yield Drawing(
                f"confusions_{place}", plot_confusions(here, labels, answers), f"Confusion matrices in {told}.",
                f"Rows add up to 100 %; {told} alone.{more}",
            )  # fmt: skip
