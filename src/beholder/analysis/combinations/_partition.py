"""The variance of an RDM that two or three models explain alone and together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.activations import rank_values
from beholder.analysis.combinations._combine import check_score, prepare_rdms


@final
@dataclass(frozen=True)
class Partition:
    """Proportions of an RDM's variance by which models explain them.

    Attributes
    ----------
    parts : dict
        Names of models to the proportion that they and no others have in common:
        ``{("gist",): .02, ("gist", "v1"): .1}``. Together they are ``total``. A proportion below 0 is one that a
        model suppresses, no error; it is kept.
    alone : dict
        Name of a model to its own R².
    total : float
        R² of all models together.
    n_pairs : int
    """

    parts: dict[tuple[str, ...], float]
    alone: dict[str, float]
    total: float
    n_pairs: int


@suggest_keywords
def partition_variance(target: Any, models: Mapping[str, Any], method: str = "spearman") -> Partition:
    r"""Divide the explained variance of an RDM between two or three models (commonality analysis).

    From the R² of least squares with every subset of the models; of two, the proportion of a alone is
    :math:`R^2_{ab} - R^2_b`, and that of both :math:`R^2_a + R^2_b - R^2_{ab}`.

    Parameters
    ----------
    target : (n_pairs,), float
        Condensed; NaN pairs are left out.
    models : mapping of str to (n_pairs,) or (n_rdms, n_pairs), float
        Two or three; a model may have several RDMs.
    method : {"spearman", "pearson"}
        ``spearman``: of the ranks of all RDMs.

    Raises
    ------
    InputError
        For another number of models, or shapes that do not fit.

    Notes
    -----
    Pairs of stimuli are not independent: these proportions describe, they do not test. Source: Groen et al. (2018),
    Distinct contributions of functional and deep neural network features to representational similarity of scenes,
    eLife 7.

    Examples
    --------
    >>> a, b = np.random.default_rng(0).random((2, 190))
    >>> found = partition_variance(a, {"a": a, "b": b}, "pearson")
    >>> round(found.total, 6), round(found.parts["a",] + found.parts["a", "b"], 6)
    (1.0, 1.0)
    """
    check_score(method)
    if len(models) not in (2, 3):
        raise InputError("two or three models", got=f"{len(models)}")
    groups = {name: np.atleast_2d(np.asarray(rdms, dtype=np.float64)) for name, rdms in models.items()}
    wanted, scaled, _ = prepare_rdms(target, np.vstack(list(groups.values())))
    known = np.isfinite(wanted)
    rows = np.vstack([wanted[known], scaled[:, known]])
    if method == "spearman":
        rows = np.vstack([rank_values(row) for row in rows])
    rows -= rows.mean(axis=1, keepdims=True)
    if known.sum() <= len(rows):
        raise InputError("more pairs than RDMs", got=f"{int(known.sum())} and {len(rows) - 1}")
    ends = np.cumsum([len(group) for group in groups.values()])
    places = {
        name: list(range(1 + end - len(group), 1 + end))
        for (name, group), end in zip(groups.items(), ends, strict=True)
    }
    explained: dict[tuple[str, ...], float] = {(): 0.0}
    names = tuple(groups)
    subsets = [subset for size in range(1, len(names) + 1) for subset in itertools.combinations(names, size)]
    for subset in subsets:
        explained[subset] = _explain(rows, [place for name in subset for place in places[name]])
    parts = {subset: _share(subset, names, explained) for subset in subsets}
    return Partition(parts, {name: explained[name,] for name in names}, explained[names], int(known.sum()))


def _explain(rows: np.ndarray, places: list[int]) -> float:
    target, chosen = rows[0], rows[places].T
    solved = cast(Any, np.linalg.lstsq(chosen, target, rcond=None))
    left = np.asarray(target - chosen @ solved[0], dtype=np.float64)
    return 1 - float(left @ left) / float(target @ target)


def _share(subset: tuple[str, ...], names: tuple[str, ...], explained: Mapping[tuple[str, ...], float]) -> float:
    """What all of a subset and nothing else explains, by inclusion and exclusion."""
    others = [name for name in names if name not in subset]
    total = 0.0
    for size in range(len(subset) + 1):
        for dropped in itertools.combinations(subset, size):
            used = tuple(name for name in names if name in others or name in dropped)
            total += (-1) ** (size + 1) * explained[used]
    return total
