"""Pictures of feature maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.figures._style import ONE_COLUMN_MM, TWO_COLUMNS_MM, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 0.1
_MAP_COLORMAP = "gray"


@suggest_keywords
def plot_feature_maps(
    maps: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    picture: Any = None,
    channels: Mapping[str, Sequence[int]] | None = None,
) -> Axes:
    """Draw feature maps of one picture, a row a layer, with the picture in front.

    Parameters
    ----------
    maps : mapping of str to array, (n_maps, height, width)
        Layer to some of its maps. Black is the smallest value in a map, white the largest.
    ax : matplotlib Axes, optional
        A figure is made without it, two columns wide for more than four maps in a row.
    picture : array, (height, width, 3), uint8 or float in [0, 1], optional
        What the network saw.
    channels : mapping of str to sequence of int, optional
        The channel of each map, written under it.
    """
    rows = {layer: np.asarray(stack, dtype=np.float64) for layer, stack in maps.items()}
    if not rows or not all(stack.ndim == 3 and stack.size for stack in rows.values()):
        raise InputError("maps of each layer, (n_maps, height, width)", got=str({k: v.shape for k, v in rows.items()}))
    for layer, numbers in (channels or {}).items():
        if layer in rows and len(numbers) != len(rows[layer]):
            raise InputError(f"{format_count(len(rows[layer]), 'channel')} for {layer}", got=str(len(numbers)))
    n_columns = max(len(stack) for stack in rows.values())
    start = 1.35 if picture is not None else 0.0
    pitch = 1.22 if channels else 1 + _GAP
    height = len(rows) * pitch
    with use_style():
        if ax is None:
            width_mm = TWO_COLUMNS_MM if n_columns > 4 else ONE_COLUMN_MM
            tile = (width_mm - 4) / (start + n_columns * (1 + _GAP) - _GAP + 0.3)
            ax = make_figure(width_mm, tile * height + 4).subplots()
        if picture is not None:
            _draw_tile(ax, np.asarray(picture), 0.0, 0.0, cmap=None)
        for row, (layer, stack) in enumerate(rows.items()):
            top = row * pitch
            for column, tile in enumerate(stack):
                left = start + column * (1 + _GAP)
                _draw_tile(ax, tile, left, top, cmap=_MAP_COLORMAP)
                if channels and layer in channels:
                    ax.text(left + 0.5, top + 1.02, str(channels[layer][column]), ha="center", va="top", fontsize=7)
            ax.text(start - 0.06, top + 0.5, layer, ha="right", va="center", fontsize=7, rotation=90)
        ax.set_xlim(-0.02 if picture is not None else -0.3, start + n_columns * (1 + _GAP) - _GAP + 0.02)
        ax.set_ylim(height, -0.02)
        ax.set_aspect("equal")
        ax.set_axis_off()
    return ax


def _draw_tile(ax: Axes, tile: np.ndarray, left: float, top: float, *, cmap: str | None) -> None:
    low, high = (float(tile.min()), float(tile.max())) if cmap else (None, None)
    if cmap and low == high:
        # A map that is the same everywhere is drawn dark, not as noise around nothing.
        high = (low or 0.0) + 1.0
    ax.imshow(
        tile, cmap=cmap, vmin=low, vmax=high, extent=(left, left + 1, top + 1, top), interpolation="nearest", zorder=2
    )
