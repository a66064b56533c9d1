"""Names beside dots, none over another; those for which there is no room are counted, not dropped in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import format_count
from beholder.figures._style import CHANCE_COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDES = (
    ((4, 0), "left", "center"), ((-4, 0), "right", "center"), ((0, 4), "center", "bottom"), ((0, -4), "center", "top"),
)  # fmt: skip


def place_names(ax: Axes, points: np.ndarray, names: Sequence[str]) -> int:
    """Write each name beside its dot, on the first side where it touches neither a name nor the figure's edge.

    Names to the right of the middle are tried on the left first. What finds no place is left out, and the picture
    says how many are written.

    Parameters
    ----------
    ax : matplotlib Axes
        Whose limits are settled.
    points : (n, 2), float
        In data units.
    names : sequence of str, (n,)

    Returns
    -------
    int
        Names that were left out.
    """
    figure: Any = ax.get_figure(root=True)
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    middle = (points[:, 0].min() + points[:, 0].max()) / 2
    placed: list[Any] = []
    n_left_out = 0
    for name, (x, y) in zip(names, points, strict=True):
        first = _SIDES if x <= middle else (_SIDES[1], _SIDES[0], *_SIDES[2:])
        for offset, ha, va in first:
            made = ax.annotate(name, (x, y), offset, textcoords="offset points", fontsize=7, ha=ha, va=va)
            box = made.get_window_extent(renderer)
            inside = box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 and box.y1 <= figure.bbox.y1
            if inside and not any(box.overlaps(other) for other in placed):
                placed.append(box)
                break
            made.remove()
        else:
            n_left_out += 1
    if n_left_out:
        words = f"{len(names) - n_left_out} of {format_count(len(names), 'name')} have room"
        ax.annotate(words, (1, 0), (0, 2), xycoords="axes fraction", textcoords="offset points", fontsize=7, ha="right",
                    va="bottom", color=CHANCE_COLOR)  # fmt: skip
    return n_left_out
