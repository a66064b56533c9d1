"""All layers jointly: banded ridge, with a weight a layer and unit, by himalaya."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beholder._core.errors import MissingExtra
from beholder.analysis.encoding._predict import Predicted
from beholder.analysis.encoding._refit import Refit, Refits
from beholder.analysis.encoding._scores import correlate_columns
from beholder.analysis.encoding._splits import Split

_N_DRAWS = 100
_INNER_FOLDS = 5
_ALPHAS = np.logspace(-5, 5, 21)


def predict_jointly(
    layers: Sequence[np.ndarray], responses: np.ndarray, splits: Sequence[Split], seed: int
) -> tuple[Predicted, np.ndarray, list[np.ndarray]]:
    """Predict test stimuli from all layers at once.

    Each layer's inner products are divided by their mean over the training stimuli, so that the draws of weights are
    fair to layers of different size.

    Parameters
    ----------
    layers : sequence of (n_stimuli, n_features), float
    responses : (n_stimuli, n_units), float
    splits : sequence of (train, test)
    seed : int
        Draws layers' weights.

    Returns
    -------
    predicted : Predicted
    shares : (n_layers, n_units), float
        Of :func:`share_r2`, mean over splits.
    weights : list of (n_layers, n_units), float
        Of each split: what each layer's inner products are multiplied with, penalty 1.

    Raises
    ------
    MissingExtra
        himalaya is not installed.

    Source: Nunez-Elizalde et al. (2019), NeuroImage 197, 482-492; Dupré la Tour et al. (2022), NeuroImage 264, 119728.
    """
    try:
        from himalaya import kernel_ridge  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise MissingExtra("himalaya", "brain", "banded ridge") from error
    predicted: list[np.ndarray] = []
    all_weights: list[np.ndarray] = []
    shares = np.zeros((len(layers), responses.shape[1]))
    r = np.empty((len(splits), responses.shape[1]))
    for i, (train, test) in enumerate(splits):
        means = responses[train].mean(axis=0)
        kernels, crossed = zip(*(_make_kernels(layer, train, test, train) for layer in layers), strict=True)
        library: Any = kernel_ridge
        solve = library.solve_multiple_kernel_ridge_random_search
        logarithms, dual, _ = solve(
            np.stack(kernels), responses[train] - means, n_iter=_N_DRAWS, alphas=_ALPHAS, return_weights="dual",
            cv=min(_INNER_FOLDS, len(train)), progress_bar=False, random_state=seed % 2**32, local_alpha=True,
        )[:3]  # fmt: skip
        weights = np.exp(np.asarray(logarithms))
        all_weights.append(weights)
        parts = np.stack(crossed) @ np.asarray(dual) * weights[:, None, :]
        found = parts.sum(axis=0)
        shares += share_r2(responses[test], parts) / len(splits)
        predicted.append(found + means)
        r[i] = correlate_columns(predicted[-1], responses[test])
    nothing = np.full(r.shape, np.nan)
    return Predicted(predicted, r, None, np.arange(0), nothing, nothing), shares, all_weights


def plan_joint_refits(
    layers: Sequence[np.ndarray], weights: Sequence[np.ndarray], splits: Sequence[Split], fewer: Sequence[Split]
) -> Refits:
    """Joint regressions that are fitted again to fewer training stimuli, with the weights that were chosen.

    Parameters
    ----------
    layers : sequence of (n_stimuli, n_features), float
    weights : sequence of (n_layers, n_units), float
        Of each split, from :func:`predict_jointly`.
    splits, fewer : sequence of (train, test)
        Those that gave the weights, and the same with fewer training stimuli.
    """
    refits = [
        _plan_refit([_make_kernels(layer, train, test, whole) for layer in layers], own)
        for own, (whole, _), (train, test) in zip(weights, splits, fewer, strict=True)
    ]
    return Refits(fewer, refits, is_joint=True)


def _plan_refit(kernels: Sequence[tuple[np.ndarray, np.ndarray]], weights: np.ndarray) -> Refit:
    from scipy.linalg import solve

    seen, unseen = (np.stack(side) for side in zip(*kernels, strict=True))
    distinct, of_unit = np.unique(weights.T, axis=0, return_inverse=True)

    def refit(responses: np.ndarray) -> np.ndarray:
        centred = responses - responses.mean(axis=0)
        found = np.empty((unseen.shape[1], responses.shape[1]))
        for place, own in enumerate(distinct):
            units = np.flatnonzero(of_unit.reshape(-1) == place)
            kernel = np.tensordot(own, seen, axes=1)
            kernel[np.diag_indices(len(kernel))] += 1
            found[:, units] = np.tensordot(own, unseen, axes=1) @ solve(kernel, centred[:, units], assume_a="pos")
        return found

    return refit


def share_r2(measured: np.ndarray, parts: np.ndarray) -> np.ndarray:
    r"""R² as a sum over layers, (n_layers, n_units): :math:`\sum_i \hat y_{li} (2 y_i - \hat y_i) / \sum_i y_i^2`.

    Parameters
    ----------
    measured : (n_stimuli, n_units), float
    parts : (n_layers, n_stimuli, n_units), float
        Predictions that add up; all about their means over the stimuli. A layer's part may be negative.

    Source: Pratt's product measure; Dupré la Tour et al. (2022), NeuroImage 264, 119728.
    """
    target = measured - measured.mean(axis=0)
    centred = parts - parts.mean(axis=1, keepdims=True)
    total = np.square(target).sum(axis=0)
    products: np.ndarray = (centred * (2 * target - centred.sum(axis=0))).sum(axis=1)
    return np.divide(products, total, out=np.full(products.shape, np.nan), where=total > 0)


def _make_kernels(
    layer: np.ndarray, train: np.ndarray, test: np.ndarray, whole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Inner products of training stimuli, and of test with training stimuli, over their mean in ``whole``."""
    means = layer[train].mean(axis=0)
    seen, unseen = layer[train] - means, layer[test] - means
    total = float(np.square(layer[whole] - layer[whole].mean(axis=0)).sum())
    scale = max(total / len(whole), np.finfo(np.float64).tiny)
    return seen @ seen.T / scale, unseen @ seen.T / scale
