"""A matrix of signed values as colours, each cell with its number where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._labels import MOST_LETTERS, fit_labels
from beholder.figures._rdm import finish_matrix
from beholder.figures._style import INK, ONE_COLUMN_MM, TWO_COLUMNS_MM, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORMAP = "cividis"
_MOST_WRITTEN = 400
_MM_PER_LETTER = 1.25


@suggest_keywords
def plot_value_matrix(
    values: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    ax: Axes | None = None,
    *,
    row_name: str = "",
    column_name: str = "",
    value_name: str = "",
    marks: Any = None,
) -> Axes:
    """Draw a matrix of values, such as layers × regions, on a scale from the smallest (0 at most) to the largest.

    Parameters
    ----------
    values : (n_rows, n_columns), float
        NaN where there is none.
    rows, columns : sequence of str
    ax : matplotlib Axes, optional
        A figure of its own is made without it.
    row_name, column_name, value_name : str
        What the rows, the columns and the colours are.
    marks : (n_rows, n_columns), bool, optional
        Cells that are framed, such as the largest of each column.
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.shape != (len(rows), len(columns)) or not matrix.size:
        raise InputError(f"values of shape ({len(rows)}, {len(columns)})", got=str(matrix.shape))
    known = matrix[np.isfinite(matrix)]
    low, high = (min(0.0, float(known.min())), max(float(known.max()), 1e-9)) if known.size else (0.0, 1.0)
    own = ax is None
    written = matrix.size <= _MOST_WRITTEN
    with use_style():
        if ax is None:
            letters = [_MM_PER_LETTER * min(MOST_LETTERS, max(map(len, names))) for names in (rows, columns)]
            width = 30 + letters[0] + (11 if written else 3) * len(columns)
            width = min(TWO_COLUMNS_MM, max(ONE_COLUMN_MM, width))
            height = 22 + min(letters[1], 45) + min(5.5 if written else 2.4, 150 / len(rows)) * len(rows)
            ax = make_figure(width, height).subplots()
        image = ax.imshow(matrix, cmap=_COLORMAP, vmin=low, vmax=high, aspect="auto")
        room = ax.get_window_extent().width / ax.get_figure(root=True).dpi * 25.4 / len(columns)  # type: ignore[union-attr]
        for (row, column), value in np.ndenumerate(matrix):
            dark = bool(np.isfinite(value) and (value - low) / (high - low) < 0.55)
            if written and room > 5:
                words = "–" if np.isnan(value) else f"{value:z.2f}".replace("0.", ".", 1).replace("-", "−")
                ax.text(column, row, words, ha="center", va="center", fontsize=7, color="#ffffff" if dark else INK)
            if marks is not None and np.asarray(marks)[row, column]:
                ax.add_patch(_make_frame(column, row, "#ffffff" if dark else INK))
        fig = finish_matrix(ax, image, rows, columns, row_name, column_name, value_name)
    if own:
        fit_labels(fig)
    return ax


def _make_frame(column: int, row: int, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor=color, linewidth=1.2)
