"""What the kinds of results have in common: rows of a statistic, short names, the figure of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from beholder.analysis._result import Result, format_estimate, format_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def select_rows(result: Result, statistic: str, **wanted: str) -> Any:
    """The part of a result's table with this statistic, and these values in these columns: a DataFrame."""
    table: Any = result.table
    table = table[table["statistic"] == statistic]
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table


def pick_rows(result: Result, statistic: str) -> list[dict[str, Any]]:
    """Rows of one statistic as records."""
    return select_rows(result, statistic).to_dict("records")


def format_value(row: Mapping[str, Any], symbol: str = "", *, digits: int = 2) -> str:
    """A row's estimate with its interval, where there is one.

    >>> format_value({"estimate": 0.224, "low": 0.18, "high": 0.271}, "r")
    'r = .22 [.18, .27]'
    """
    estimate, low, high = (float(row[name]) for name in ("estimate", "low", "high"))
    words = f"{format_estimate(estimate, digits=digits)} {format_interval(low, high, digits=digits)}".strip()
    return f"{symbol} = {words}" if symbol else words


def list_estimates(rows: Any, names: str = "layer") -> dict[str, tuple[float, float, float]]:
    """Estimate and interval of each row of a DataFrame, by the words in a column."""
    values = zip(rows[names], rows["estimate"], rows["low"], rows["high"], strict=True)
    return {str(name): (float(estimate), float(low), float(high)) for name, estimate, low, high in values}


def mark_largest(values: np.ndarray) -> np.ndarray:
    """Which values are the largest of their columns, NaN aside."""
    filled = np.where(np.isnan(values), -np.inf, values)
    return np.isfinite(filled) & (filled == filled.max(axis=0, keepdims=True))


def shorten_model(name: str) -> str:
    """A network's name without source and weights.

    >>> shorten_model("torchvision:alexnet@IMAGENET1K_V1")
    'alexnet'
    """
    return name.partition(":")[2].partition("@")[0] or name


def get_figure(ax: Axes) -> Figure:
    """The whole figure of a picture."""
    figure: Any = ax.get_figure(root=True)
    return figure
