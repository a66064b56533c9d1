"""Regressions of one layer fitted again and again, to other responses: one decomposition a split serves all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from beholder.analysis.encoding._decomposition import decompose
from beholder.analysis.encoding._predict import Procedure, fit_pls
from beholder.analysis.encoding._ridge import make_alphas, tell_apart
from beholder.analysis.encoding._splits import Split

_COLUMNS = 4096

Refit = Callable[[np.ndarray], np.ndarray]
"""Training responses, (n_train, n_columns), to predictions of test stimuli, (n_test, n_columns), up to a constant."""


@final
@dataclass(frozen=True, eq=False)
class Refits:
    """Regressions that are fitted to whatever responses come.

    Attributes
    ----------
    splits : sequence of (train, test)
    refits : list of callable
        One a split.
    is_joint : bool
        Columns are fitted together, as by PLS; else each by itself, so that those of several draws may stand side by
        side.
    constant : float, optional
        Standard deviation up to which a prediction counts as constant; default what rounding leaves.
    """

    splits: Sequence[Split]
    refits: list[Refit]
    is_joint: bool
    constant: float | None = None

    @property
    def n_columns(self) -> int:
        """Columns that are best fitted at a time."""
        return 0 if self.is_joint else _COLUMNS

    def predict(self, responses: np.ndarray) -> list[np.ndarray]:
        """Predictions of each split's test stimuli, (n_test, n_columns), each column up to a constant."""
        return [refit(responses[train]) for (train, _), refit in zip(self.splits, self.refits, strict=True)]

    def correlate(self, responses: np.ndarray) -> np.ndarray:
        """Pearson's r of predictions and responses, (n_splits, n_columns); 0 where one of them is constant."""
        width = responses.shape[1] if self.is_joint else _COLUMNS
        found: list[np.ndarray] = []
        for start in range(0, responses.shape[1], width):
            part = responses[:, start : start + width]
            pairs = [
                (unit_columns(own, self.constant), unit_columns(part[test]))
                for own, (_, test) in zip(self.predict(part), self.splits, strict=True)
            ]
            found.append(np.stack([np.einsum("ij,ij->j", own, measured) for own, measured in pairs]))
        return np.concatenate(found, axis=1)


def plan_refits(features: np.ndarray, splits: Sequence[Split], how: Procedure) -> Refits:
    """Prepare regressions of a layer.

    Ridge takes the penalty of each column by generalised cross-validation: leave-one-out with the mean leverage in
    place of each stimulus's own, which as one product of matrices costs little. In single precision.

    Parameters
    ----------
    features : (n_stimuli, n_features), float
    splits : sequence of (train, test)
    how : Procedure

    Source: Golub, Heath & Wahba (1979), Technometrics 21, 215-223.
    """
    plan = _plan_ridge if how.method == "ridge" else _plan_pls
    refits = [plan(features, train, test, how) for train, test in splits]
    return Refits(splits, refits, how.method == "pls", how.constant)


def unit_columns(values: np.ndarray, constant: float | None = None) -> np.ndarray:
    """Columns centred and of length 1; 0 where they do not vary beyond rounding, or beyond a standard deviation."""
    means = values.mean(axis=0)
    centred = values - means
    norms = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    limit = 0.0 if constant is None else constant * np.sqrt(len(values))
    limit = limit + 4 * np.finfo(values.dtype).eps * np.abs(means) * np.sqrt(len(values))
    return centred * np.divide(1, norms, out=np.zeros_like(norms), where=norms > limit)


def _plan_ridge(features: np.ndarray, train: np.ndarray, test: np.ndarray, how: Procedure) -> Refit:
    alphas = make_alphas(features[train]) if how.alphas is None else np.array(how.alphas)
    part = decompose(features[train], float(alphas.min()))
    used = tell_apart(alphas, part)[0][:, None]
    remains = used / (part.squares + used)
    n_outside = len(train) - 1 - len(part.squares)
    freedom = (n_outside + remains.sum(axis=1))[:, None]
    weights = np.square(remains / freedom).astype(np.float32)
    outside = (1 / np.square(freedom)).astype(np.float32)
    shrinks = (np.sqrt(part.squares) / (part.squares + used)).T.astype(np.float32)
    left, seen = part.left.T.astype(np.float32), ((features[test] - part.means) @ part.axes).astype(np.float32)

    def refit(responses: np.ndarray) -> np.ndarray:
        centred = responses - responses.mean(axis=0)
        lengths = np.sqrt(np.einsum("ij,ij->j", centred, centred))
        centred = (centred * np.where(lengths > 0, 1 / np.where(lengths > 0, lengths, 1), 0)).astype(np.float32)
        scores = left @ centred
        squares = np.square(scores)
        errors = weights @ squares
        if n_outside:
            errors += outside * np.clip(1 - squares.sum(axis=0), 0, None)
        scores *= np.take(shrinks, errors.argmin(axis=0), axis=1)
        return seen @ scores * lengths.astype(np.float32)

    return refit


def _plan_pls(features: np.ndarray, train: np.ndarray, test: np.ndarray, how: Procedure) -> Refit:
    rows, others = features[train], features[test]
    n_components = min(how.n_components, len(rows) - 1, features.shape[1])

    def refit(responses: np.ndarray) -> np.ndarray:
        centred = responses - responses.mean(axis=0)
        if centred.shape[1] <= len(train):
            return fit_pls(rows, centred, n_components).predict(others)
        # Many units turned onto the directions in which they differ have the same components.
        squares, vectors = np.linalg.eigh(centred @ centred.T)
        kept = squares > squares[-1] * len(train) * np.finfo(np.float64).eps
        turned = vectors[:, kept] * np.sqrt(squares[kept])
        return fit_pls(rows, turned, n_components).predict(others) @ (turned.T @ centred / squares[kept][:, None])

    return refit
