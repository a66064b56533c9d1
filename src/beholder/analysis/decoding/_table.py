"""The table of a decoding: layers, bins of relative depth, differences of networks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder.analysis.decoding._decode import Decoded, find_mean_interval
from beholder.analysis.decoding._sources import LabelledStore, weigh_bins
from beholder.statistics import compute_permutation_p

FEWEST_ORDERS = 20


@final
@dataclass(frozen=True, eq=False)
class DecodedCell:
    """What was told of all layers of all networks after fitting in one condition and testing in one.

    Attributes
    ----------
    start : dict
        Columns that all rows share.
    decoded : list of list of Decoded
        Network by network, layer by layer.
    labels : (n_stimuli,), int
    """

    start: dict[str, Any]
    decoded: Sequence[Sequence[Decoded]]
    labels: np.ndarray


def make_rows(cell: DecodedCell, sources: Sequence[LabelledStore], depth_bins: int | None) -> list[dict[str, Any]]:
    """Rows of each layer, of each bin of relative depth, and of the differences of networks, each with an interval."""
    rows: list[dict[str, Any]] = []
    for source, mine in zip(sources, cell.decoded, strict=True):
        rows += _row_a_layer(cell, source, mine)
        if depth_bins:
            rows += _row_a_bin(cell, source, mine, depth_bins)
    for (one, first), (two, second) in itertools.combinations(zip(sources, cell.decoded, strict=True), 2):
        rows += _list_differences(cell, one, first, two, second, depth_bins)
    return rows


def _name(cell: DecodedCell, source: LabelledStore) -> dict[str, Any]:
    return {"model": source.model} | ({"source": source.name} if source.name else {}) | cell.start


def _row_a_layer(cell: DecodedCell, source: LabelledStore, decoded: Sequence[Decoded]) -> list[dict[str, Any]]:
    has_test = min(len(own.null) for own in decoded) >= FEWEST_ORDERS
    largest = np.max([own.null for own in decoded], axis=0) if has_test else None
    rows: list[dict[str, Any]] = []
    for place, (layer, own) in enumerate(zip(source.layers, decoded, strict=True)):
        rows.append(
            _name(cell, source) | {
                "layer": layer, "statistic": "balanced-accuracy", "estimate": own.accuracy, "low": own.low,
                "high": own.high, "p": None if largest is None else compute_permutation_p(own.accuracy, own.null),
                "p_of_all_layers": None if largest is None else compute_permutation_p(own.accuracy, largest),
                "depth": place / max(1, len(decoded) - 1),
            }
        )  # fmt: skip
    return rows


def _row_a_bin(
    cell: DecodedCell, source: LabelledStore, decoded: Sequence[Decoded], n_bins: int
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, weights in enumerate(weigh_bins(len(decoded), n_bins)):
        if weights.any():
            estimate, low, high = find_mean_interval(decoded, weights, cell.labels, (0.0, 1.0))
            row = _name(cell, source) | {"layer": name_bin(number, n_bins), "statistic": "mean of depth bin"}
            row |= {"estimate": estimate, "low": low, "high": high, "depth": (number + 0.5) / n_bins}
            rows.append(row)
    return rows


def name_bin(number: int, n_bins: int) -> str:
    """What stands in the column of layers."""
    return f"depth {number + 1} of {n_bins}"


def list_compared(
    one: LabelledStore, two: LabelledStore, n_bins: int | None
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Where two networks are compared: layers of one name, then bins of depth, with the weights of either's layers."""
    n, m = len(one.layers), len(two.layers)
    found = [
        (layer, np.eye(n)[place], np.eye(m)[two.layers.index(layer)])
        for place, layer in enumerate(one.layers)
        if layer in two.layers
    ]
    if n_bins:
        pairs = zip(weigh_bins(n, n_bins), weigh_bins(m, n_bins), strict=True)
        found += [(name_bin(i, n_bins), a, b) for i, (a, b) in enumerate(pairs) if a.any() and b.any()]
    return found


def _list_differences(
    cell: DecodedCell,
    one: LabelledStore,
    first: Sequence[Decoded],
    two: LabelledStore,
    second: Sequence[Decoded],
    n_bins: int | None,
) -> list[dict[str, Any]]:
    """The first network less the second: at layers of one name, and in bins of relative depth."""
    rows: list[dict[str, Any]] = []
    for layer, a, b in list_compared(one, two, n_bins):
        weights = np.concatenate([a, -b])
        estimate, low, high = find_mean_interval([*first, *second], weights, cell.labels, (-1.0, 1.0))
        row = _name(cell, one) | {"layer": layer, "statistic": "difference", "other_model": two.model}
        rows.append(row | {"other_source": two.name, "estimate": estimate, "low": low, "high": high})
    return rows
