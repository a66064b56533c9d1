"""Kind of result: networks on a published experiment, beside the people who took it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import RESULT_KINDS, Drawing, Result, ResultKind
from beholder.analysis.battery._parts import list_parts, take_part
from beholder.analysis.kinds._telling import get_figure
from beholder.figures import TWO_COLUMNS_MM, colors_of_models, make_figure, plot_estimates, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NETWORKS = 4
_MOST_PEOPLE = 40
_MOST_PANELS, _PANELS_IN_ROW = 12, 3
_CUE = "Shape bias"
_MATCHED = "matched"
_PAIR, _CEILING, _KAPPA = "pair", "people with one another", "error consistency"


def _name_set(result: Result) -> str:
    name = result.settings["set"]
    return f" of {name}" if name else ""


def _ask(result: Result) -> str:
    models: list[str] = result.settings["models"]
    who = models[0] if len(models) == 1 else f"{format_count(len(models), 'network')}"
    return f"{'Does' if len(models) == 1 else 'Do'} {who} see the pictures{_name_set(result)} as people do?"


def _tell(result: Result) -> list[str]:
    """Proportions correct, the cue, error consistency; then the rest, and what was joined."""
    parts = list_parts(result)
    of_parts = {
        name: [text for text in RESULT_KINDS[part.kind].sentences(part) if text not in part.settings["sentences"]]
        for name, part in parts.items()
    }
    cues = [text for told in of_parts.values() for text in told if text.startswith(_CUE)]
    first = [told[0] for told in of_parts.values() if told]
    main = [*first[:1], *cues[:1], *first[1:]]
    rest = [text for told in of_parts.values() for text in told if text not in main]
    return [*main, *rest, *result.settings["sentences"], *result.settings["people"]]


def _describe(result: Result) -> str:
    asked = result.settings
    models: list[str] = asked["models"]
    who = " and ".join(models) if len(models) < _MOST_NETWORKS else f"{format_count(len(models), 'network')}"
    own = flow_text(
        f"""{who} {"was" if len(models) == 1 else "were"} shown {format_count(asked["n_stimuli"], "picture")} that
        {format_count(asked["n_people"], "person")} had been shown in an experiment{_name_set(result)}, in
        the size in which
        people saw them, without crop, and answered by the rule {asked["rule"]!r} (Geirhos, R. et al., 2021, Partial
        success in closing the gap between human and machine vision, NeurIPS 34)."""
    )
    return " ".join([own, *(RESULT_KINDS[part.kind].methods(part) for part in list_parts(result).values())])


def _plot(result: Result, ax: Axes | None) -> Axes:
    """Proportions correct."""
    part = take_part(result, "recognition")
    return RESULT_KINDS[part.kind].plot(part, ax)


def _draw(result: Result) -> Iterator[Drawing]:
    """Pictures of each part, and error consistency with every single person."""
    for place, drawing in enumerate(_draw_all(result), start=1):
        told = drawing.explanation or drawing.alt
        yield dataclasses.replace(drawing, explanation=f"Picture {place}: {told}")


def _draw_all(result: Result) -> Iterator[Drawing]:
    for name, part in list_parts(result).items():
        if name == "agreement":
            yield from _draw_people(result)
        for drawing in RESULT_KINDS[part.kind].draw(part):
            if not (drawing.name.startswith(_MATCHED) and len(part.settings["cells"]) < 2):  # a dot a person, in a row
                yield dataclasses.replace(drawing, name=f"{name}_{drawing.name}")


def _draw_people(result: Result) -> Iterator[Drawing]:
    """A picture a network, a panel a condition: its error consistency with every person."""
    table: Any = result.table
    own = table[table["part"] == "agreement"]
    pairs = own[(own["statistic"] == _PAIR) & (own["subject"] != "") & own["estimate"].notna()]
    ceilings = own[(own["statistic"] == _CEILING) & (own["method"] == _KAPPA)]
    models: list[str] = result.settings["models"]
    colors = colors_of_models(models)
    for place, model in enumerate(models[:_MOST_NETWORKS]):
        rows = pairs[pairs["model"] == model].sort_values("estimate", ascending=False, kind="stable")
        if not len(rows):
            continue
        asked = result.settings["parts"]["agreement"]["settings"]["conditions"]
        conditions = [str(each) for each in asked if str(each) in set(rows["target"])]
        people = list(dict.fromkeys(str(row) for row in rows["subject"]))[:_MOST_PEOPLE]
        fig = _draw_conditions(rows, ceilings, conditions[:_MOST_PANELS], people, colors[model], model)
        left = (
            f" The first {_MOST_PANELS} of {format_count(len(conditions), 'condition')}."
            if conditions[_MOST_PANELS:]
            else ""
        )
        yield Drawing(
            f"people_{place}", fig, f"Error consistency of {model} with every single person",
            f"A row is a person of the experiment; band: people with one another.{left}",
        )  # fmt: skip


def _draw_conditions(
    rows: Any, ceilings: Any, conditions: list[str], people: list[str], color: str, model: str
) -> Figure:
    """A panel a condition; who has no error consistency there has an empty row."""
    name, colors = f"Error consistency with {model} (κ)", dict.fromkeys(people, color)
    panels: list[dict[str, Any]] = []
    for condition in conditions:
        here = rows[rows["target"] == condition]
        found = {str(row["subject"]): (row["estimate"], row["low"], row["high"]) for row in here.to_dict("records")}
        chosen = ceilings[ceilings["target"] == condition] if len(conditions) > 1 else ceilings
        among = chosen.to_dict("records")
        panels.append({
            "estimates": {who: found.get(who, (float("nan"),) * 3) for who in people},
            "interval": f"95 % interval over {format_count(int(here['n'].max()), 'stimulus')}",
            "band": (among[0]["low"], among[0]["high"]) if among else None,
        })  # fmt: skip
    marks: dict[str, Any] = {"reference": 0, "reference_name": "chance 0", "colors": colors}
    if len(panels) == 1:
        return get_figure(plot_estimates(**panels[0], value_name=name, band_name=_CEILING, **marks))
    n_columns = min(len(panels), _PANELS_IN_ROW)
    n_rows = -(-len(panels) // n_columns)
    with use_style():
        fig = make_figure(TWO_COLUMNS_MM, 12 + n_rows * (16 + 5 * max(2, len(people))))
        axes: Any = fig.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
        for place, ax in enumerate(axes.flat):
            if place >= len(panels):
                ax.remove()
                continue
            plot_estimates(**panels[place], ax=ax, value_name=name, **marks)
            ax.set_title(conditions[place], fontsize=8, pad=12)
            ax.set_xlabel("")
            ax.tick_params(labelbottom=True)
        told = list(dict.fromkeys(panel["interval"] for panel in panels))
        line = told[0] if len(told) == 1 else "95 % interval over the stimuli of each condition"
        whole: Any = fig
        whole.supxlabel(f"{name}; line: {line}", fontsize=8)
    return fig


def _attach(result: Result, folder: Path, name: str) -> list[Path]:
    """What the parts leave beside their tables."""
    found: list[Path] = []
    for key, part in list_parts(result).items():
        attach = RESULT_KINDS[part.kind].attach
        found += attach(part, folder, f"{name}_{key}") if attach is not None else []
    return found


RESULT_KINDS.add("battery", ResultKind(_ask, _tell, _describe, _plot, _draw, _attach))
