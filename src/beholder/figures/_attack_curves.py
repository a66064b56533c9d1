"""Accuracy of networks over the radius of attacks: a panel for each norm, clean stimuli on the left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._labels import fit_labels
from beholder.figures._marks import draw_chance, format_proportion
from beholder.figures._style import (
    INK,
    MOST_NAMED,
    ONE_COLUMN_MM,
    TWO_COLUMNS_MM,
    color_networks,
    make_figure,
    use_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES: dict[str, tuple[Any, str]] = {
    "pgd": ("-", "o"), "apgd-ce": ((0, (4, 1.5)), "s"), "apgd-t": ((0, (4, 1.5, 1, 1.5)), "^"),
    "random": ((0, (1, 1.5)), "x"), "transfer": ((0, (2, 1, 1, 1, 1, 1)), "d"), "worst": ("-", "v"),
}  # fmt: skip
_MOST_TICKS = 6
_GAP = 0.5


@final
@dataclass(frozen=True, eq=False)
class AttackCurve:
    """One network under one attack.

    Attributes
    ----------
    network, attack : str
    radii : (n_radii,), float
        Rising; 0 for clean stimuli.
    values, low, high : (n_radii,), float in [0, 1]
        Proportions right and the ends of their intervals.
    """

    network: str
    attack: str
    radii: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray


@suggest_keywords
def plot_attack_curves(
    panels: Mapping[str, Sequence[AttackCurve]], ax: Axes | None = None, *, note: str, chance: float | None = None
) -> Figure:
    """Draw a panel for each norm: networks in their colours, attacks by line and mark; radii on a logarithmic axis.

    Parameters
    ----------
    panels : mapping of str to sequence of AttackCurve
        Norm to its curves.
    ax : matplotlib Axes, optional
        The first norm alone is drawn into it.
    note : str
        What lines and marks are, with n.
    chance : float in [0, 1], optional
    """
    if not panels or not all(panels.values()):
        raise InputError("at least one curve of each norm", got="none")
    every = [curve for curves in panels.values() for curve in curves]
    networks = sorted({curve.network for curve in every})
    colors = color_networks(networks)
    with use_style():
        if ax is not None:
            norm, curves = next(iter(panels.items()))
            _draw(ax, norm, curves, colors, chance)
            ax.set_ylabel("Right answers (%)")
            ax.set_xlabel(f"{ax.get_xlabel()}\n{note}")
            _add_legend(ax, every, colors)
            fig: Any = ax.get_figure(root=True)
            return fig
        n_columns = min(2, len(panels))
        n_rows = -(-len(panels) // n_columns)
        n_named = _count_handles(every)
        fig = make_figure(
            TWO_COLUMNS_MM if n_columns > 1 else ONE_COLUMN_MM,
            16 + 50 * n_rows + 4 * -(-n_named // (4 if n_columns > 1 else 2)),
        )
        axes = fig.subplots(n_rows, n_columns, squeeze=False, sharey=True)
        for place, (own, (norm, curves)) in enumerate(zip(axes.flat, panels.items(), strict=False)):
            _draw(own, norm, curves, colors, chance)
            own.set_title(norm)
            if place % n_columns == 0:
                own.set_ylabel("Right answers (%)")
        for own in list(axes.flat)[len(panels) :]:
            own.set_visible(False)
        fig.supxlabel(note, fontsize=7)
        if n_named:
            _add_legend(fig, every, colors, n_columns=4 if n_columns > 1 else 2)
    fit_labels(fig)
    return fig


def _draw(ax: Axes, norm: str, curves: Sequence[AttackCurve], colors: Mapping[str, str], chance: float | None) -> None:
    if chance is not None:
        draw_chance(ax, 100 * chance, text=f"chance\n{format_proportion(chance)}")
    radii = sorted({float(each) for curve in curves for each in curve.radii if each > 0})
    start = np.log10(radii[0]) - _GAP * max(1.0, (np.log10(radii[-1]) - np.log10(radii[0])) / 4)
    for curve in curves:
        line, mark = _STYLES.get(curve.attack, ("-", "o"))
        color = colors[curve.network]
        values, low, high = (100 * np.asarray(each, np.float64) for each in (curve.values, curve.low, curve.high))
        places = np.array([np.log10(each) if each > 0 else start for each in curve.radii])
        wide = 1.8 if curve.attack == "worst" else 0.9
        ax.plot(places, values, color=color, linestyle=line, linewidth=wide, alpha=0.8, zorder=2)
        ax.vlines(places, low, high, color=color, linewidth=0.9, zorder=3)
        ax.plot(places, values, mark, color=color, markersize=3.5, zorder=4, clip_on=False)
    few = len(radii) <= _MOST_TICKS
    decades = range(int(np.ceil(np.log10(radii[0]) - 1e-9)), int(np.floor(np.log10(radii[-1]) + 1e-9)) + 1)
    ticks = [float(np.log10(each)) for each in radii] if few else [float(each) for each in decades]
    names = [_name_radius(each, norm) for each in radii] if few else [f"$10^{{{each}}}$" for each in decades]
    ax.set_xticks([float(start), *ticks], ["0\n(clean)", *names])
    ax.set_xlabel(f"Radius ({norm})")
    ax.set_ylim(0, 102)
    ax.set_yticks([0, 25, 50, 75, 100])
    ax.spines["bottom"].set_color(INK)


def _name_radius(eps: float, norm: str) -> str:
    """A radius as papers write it: of Linf in 255ths, where it is a whole number of them.

    >>> _name_radius(8 / 255, "Linf"), _name_radius(0.5, "L2")
    ('8/255', '0.5')
    """
    steps = eps * 255
    if norm == "Linf" and steps >= 0.5 and abs(2 * steps - round(2 * steps)) < 1e-6:
        return f"{steps:g}/255"
    return f"{eps:.3g}"


def _count_handles(curves: Sequence[AttackCurve]) -> int:
    n_networks, n_attacks = len({c.network for c in curves}), len({c.attack for c in curves})
    return (n_networks if n_networks > 1 else 0) + (n_attacks if n_attacks > 1 else 0)


def _add_legend(
    place: Any, curves: Sequence[AttackCurve], colors: Mapping[str, str], *, n_columns: int | None = None
) -> None:
    """Colours of networks, then lines and marks of attacks, where there are several."""
    from matplotlib.lines import Line2D

    networks = list(dict.fromkeys(curve.network for curve in curves))
    attacks = [each for each in _STYLES if any(curve.attack == each for curve in curves)]
    handles: list[Any] = []
    if 1 < len(networks) <= MOST_NAMED:
        handles += [Line2D([], [], color=colors[each], marker="o", linestyle="", label=each) for each in networks]
    if len(attacks) > 1:
        for each in attacks:
            line, mark = _STYLES[each]
            handles.append(Line2D([], [], color=INK, linestyle=line, marker=mark, markersize=3.5, label=each))
    if handles:
        where: dict[str, Any] = {"loc": "best"} if n_columns is None else {
            "loc": "outside upper left", "ncols": n_columns
        }  # fmt: skip
        place.legend(handles=handles, **where)
