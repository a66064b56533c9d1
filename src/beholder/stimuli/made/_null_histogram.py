"""Counts of a null distribution, ``histograms.json`` in ``null_dist/{model}``: what a picture of it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import read_json, write_json
from beholder.stimuli.made._metamer_table import MEASURES
from beholder.stimuli.made._null_set import NullSet

NULL_HISTOGRAMS = "histograms.json"
"""The file of histograms of a null distribution."""
_MOST_BINS, _LEAST_BINS = 60, 10


@final
@dataclass(frozen=True)
class NullHistogram:
    """How often random pairs of natural stimuli match how well, by one measure at one layer.

    Attributes
    ----------
    edges : tuple of float, (n_bins + 1,)
        Bins of equal width from the smallest value to the largest.
    counts : tuple of int, (n_bins,)
    n_pairs : int
    n_left_out : int
        Pairs whose value is not a finite number.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    n_pairs: int
    n_left_out: int = 0

    @property
    def maximum(self) -> float:
        """The largest value: what a metamer has to exceed."""
        return self.edges[-1]


def count_null(values: Any, n_bins: int | None = None) -> NullHistogram:
    """Count the values of one measure at one layer.

    Parameters
    ----------
    values : (n_pairs,), float
    n_bins : int, optional
        Default 2 n^⅓, from 10 to 60.

    >>> count_null([0.0, 0.5, 1.0], n_bins=2).counts
    (1, 2)
    """
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    n_left_out = len(values) - len(finite)
    if not len(finite):
        return NullHistogram((), (), len(values), n_left_out)
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return NullHistogram((low, high), (len(finite),), len(values), n_left_out)
    if n_bins is None:
        n_bins = min(_MOST_BINS, max(_LEAST_BINS, round(2 * len(finite) ** (1 / 3))))
    counts, edges = np.histogram(finite, bins=n_bins, range=(low, high))
    edges[-1] = high
    return NullHistogram(tuple(edges.tolist()), tuple(counts.tolist()), len(values), n_left_out)


@suggest_keywords
def write_null_histograms(folder: Path | str) -> Path:
    """Count a null distribution's tables and write ``histograms.json`` beside them, by rename.

    Parameters
    ----------
    folder : path
        ``null_dist/{model}``.

    Returns
    -------
    Path
    """
    null = NullSet(folder)
    document = {}
    for layer in null.layers:
        columns = null[layer]
        document[layer] = {measure: _to_json(count_null(columns[measure])) for measure in MEASURES}
    write_json(null.path / NULL_HISTOGRAMS, {"layers": document})
    return null.path / NULL_HISTOGRAMS


@suggest_keywords
def read_null_histograms(folder: Path | str) -> dict[str, dict[str, NullHistogram]]:
    """The counts of each layer, by measure: ``spearman``, ``pearson``, ``db_snr``; empty where there are none.

    Parameters
    ----------
    folder : path
        ``null_dist/{model}``.
    """
    path = Path(folder) / NULL_HISTOGRAMS
    if not path.exists():
        return {}
    try:
        return {
            layer: {measure: _from_json(found) for measure, found in measures.items()}
            for layer, measures in read_json(path)["layers"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError("counts of a null distribution", got=f"{path} ({error})") from error


def _to_json(histogram: NullHistogram) -> dict[str, Any]:
    return {
        "edges": list(histogram.edges), "counts": list(histogram.counts),
        "n_pairs": histogram.n_pairs, "n_left_out": histogram.n_left_out,
    }  # fmt: skip


def _from_json(found: Mapping[str, Any]) -> NullHistogram:
    return NullHistogram(tuple(found["edges"]), tuple(found["counts"]), found["n_pairs"], found["n_left_out"])
