"""Marks that mean the same in every picture: chance and the noise ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from beholder._core.errors import suggest_keywords
from beholder.figures._style import CHANCE_COLOR, NATURAL_COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def format_proportion(value: float) -> str:
    """A proportion as a percentage with as many digits as it needs.

    >>> format_proportion(0.0625), format_proportion(0.5), format_proportion(0.001)
    ('6.25 %', '50 %', '0.1 %')
    """
    return f"{100 * value:.3g} %"


@suggest_keywords
def draw_chance(ax: Axes, value: float, *, axis: Literal["x", "y"] = "y", text: str | None = None) -> None:
    """Mark chance: a dashed grey line with its value written on it.

    Parameters
    ----------
    ax : matplotlib Axes
    value : float
        Where chance lies, in data units.
    axis : {"x", "y"}
        The axis that ``value`` is read on.
    text : str, optional
        The words on the line; ``chance`` and the value unless given.
    """
    text = f"chance {value:.3g}" if text is None else text
    if axis == "y":
        ax.axhline(value, color=CHANCE_COLOR, linestyle=(0, (4, 2)), linewidth=0.8, zorder=1)
        ax.annotate(
            text, (1, value), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="left", va="center", color=CHANCE_COLOR, fontsize=7,
        )  # fmt: skip
    else:
        ax.axvline(value, color=CHANCE_COLOR, linestyle=(0, (4, 2)), linewidth=0.8, zorder=1)
        ax.annotate(
            text, (value, 1), (2, 2), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha="left", va="bottom", color=CHANCE_COLOR, fontsize=7,
        )  # fmt: skip


def add_legend(ax: Axes, loc: str, *, n_columns: int) -> None:
    """A legend beside the axes where ``loc`` begins with ``outside`` (of the figure), else inside of them."""
    if loc.startswith("outside"):
        figure: Any = ax.get_figure(root=True)
        figure.legend(loc=loc, ncols=n_columns)
    else:
        ax.legend(loc=loc)  # pyright: ignore[reportArgumentType]


@suggest_keywords
def draw_noise_ceiling(ax: Axes, low: float, high: float, *, text: str = "noise ceiling") -> None:
    """Mark the noise ceiling: a pale band from ``low`` to ``high`` on the y axis, named at its right end."""
    ax.axhspan(low, high, color=NATURAL_COLOR, alpha=0.22, linewidth=0, zorder=0)
    ax.annotate(
        text, (1, (low + high) / 2), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="left", va="center", color=CHANCE_COLOR, fontsize=7,
    )  # fmt: skip
