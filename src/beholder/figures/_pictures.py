"""Rows of pictures or sounds with words under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.figures._style import INK, ONE_COLUMN_MM, TWO_COLUMNS_MM, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 0.08
_CAPTION = 0.2


@suggest_keywords
def plot_stimulus_rows(
    rows: Mapping[str, Sequence[Any]],
    ax: Axes | None = None,
    *,
    captions: Mapping[str, Sequence[str]] | None = None,
    value_range: tuple[float, float] | None = (0.0, 1.0),
) -> Axes:
    """Draw a few rows of stimuli, each row with its name on the left.

    Parameters
    ----------
    rows : mapping of str to sequence of arrays
        Name of a row to its stimuli: pictures (3 or 1, height, width) or sounds (n_samples,).
    ax : matplotlib Axes, optional
        A figure is made without it, two columns wide for more than four stimuli in a row.
    captions : mapping of str to sequence of str, optional
        A few words under each stimulus.
    value_range : (low, high), optional
        Of pictures; black and white. None: of each picture's own values.

    Raises
    ------
    InputError
        Nothing to draw; captions that do not fit; stimuli that are neither pictures nor sounds.
    """
    if not rows or not all(len(row) for row in rows.values()):
        raise InputError("at least one stimulus in each row", got=str({name: len(row) for name, row in rows.items()}))
    for name, words in (captions or {}).items():
        if name in rows and len(words) != len(rows[name]):
            raise InputError(f"{format_count(len(rows[name]), 'caption')} for {name}", got=str(len(words)))
    n_columns = max(len(row) for row in rows.values())
    n_lines = max((text.count("\n") + 1 for words in (captions or {}).values() for text in words), default=0)
    pitch = 1 + _GAP + _CAPTION * n_lines
    with use_style():
        if ax is None:
            width_mm = TWO_COLUMNS_MM if n_columns > 4 else ONE_COLUMN_MM
            tile = (width_mm - 4) / (0.3 + n_columns * (1 + _GAP))
            ax = make_figure(width_mm, tile * len(rows) * pitch + 4).subplots()
        for line, (name, row) in enumerate(rows.items()):
            for column, stimulus in enumerate(row):
                left, top = column * (1 + _GAP), line * pitch
                _draw_stimulus(ax, np.asarray(stimulus), left, top, value_range)
                if captions and name in captions:
                    ax.text(left + 0.5, top + 1.03, captions[name][column], ha="center", va="top", fontsize=7)
            ax.text(-0.06, line * pitch + 0.5, name, ha="right", va="center", fontsize=7, rotation=90)
        ax.set_xlim(-0.3, n_columns * (1 + _GAP) - _GAP + 0.02)
        ax.set_ylim(len(rows) * pitch, -0.02)
        ax.set_aspect("equal")
        ax.set_axis_off()
    return ax


def _draw_stimulus(
    ax: Axes, stimulus: np.ndarray, left: float, top: float, value_range: tuple[float, float] | None
) -> None:
    if stimulus.ndim == 1:
        peak = float(np.abs(stimulus).max(initial=0.0)) or 1.0
        x = left + np.linspace(0, 1, len(stimulus))
        ax.plot(x, top + 0.5 - 0.48 * stimulus / peak, color=INK, linewidth=0.4)
        return
    if stimulus.ndim != 3 or stimulus.shape[0] not in (1, 3):
        raise InputError("pictures (3, height, width) or sounds (n_samples,)", got=f"shape {stimulus.shape}")
    low, high = value_range or (float(stimulus.min()), float(stimulus.max()))
    picture = ((stimulus.transpose(1, 2, 0) - low) / ((high - low) or 1.0)).clip(0, 1)
    picture = np.repeat(picture, 3, 2) if picture.shape[2] == 1 else picture
    ax.imshow(picture, extent=(left, left + 1, top + 1, top), interpolation="antialiased", zorder=2)
