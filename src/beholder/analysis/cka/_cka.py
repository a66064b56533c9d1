"""Linear centred kernel alignment (CKA), without the bias of few stimuli."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.activations import compute_gram

_FLOAT64_ROWS = 2_000


@suggest_keywords
def compute_cka(x: Any, y: Any, debiased: bool = True) -> float:
    r"""Linear CKA of two sets of features of the same stimuli.

    .. math:: HSIC(K, L) / \sqrt{HSIC(K, K) \, HSIC(L, L)}, \quad K = X X^\top, L = Y Y^\top

    Debiased, HSIC is its unbiased estimate, a U-statistic over tuples of four stimuli: features that are independent
    have a CKA around 0, and values below it occur. Biased, CKA is in [0, 1] and near 1 for independent features where
    these outnumber the stimuli: about .96 for noise at 92 stimuli.

    Parameters
    ----------
    x : array-like, (n_stimuli, ...)
    y : array-like, (n_stimuli, ...)
        Arrays, tensors or layers of stores, the same stimuli in the same order; axes after the first are joined.
    debiased : bool

    Returns
    -------
    float
        NaN where one side does not vary.

    Raises
    ------
    InputError
        For numbers of stimuli that differ, fewer than four, or values that are not finite.

    Notes
    -----
    Sources: Kornblith et al. (2019), Similarity of neural network representations revisited, ICML; Song et al. (2012),
    Feature selection via dependence maximization, JMLR 13, 1393-1434, equation 5; Murphy, Zylberberg and Fyshe (2024),
    Correcting biased centered kernel alignment measures in biological and artificial neural networks.

    Examples
    --------
    >>> x = np.arange(20.0).reshape(10, 2) ** 2 % 7
    >>> round(compute_cka(x, 3 * x + 1), 6)
    1.0
    """
    if len(x) != len(y):
        raise InputError("the same stimuli on both sides", got=f"{len(x)} and {len(y)}")
    first, second = align_kernel(compute_gram(x), debiased), align_kernel(compute_gram(y), debiased)
    return float(first @ second)


def align_kernel(gram: np.ndarray, debiased: bool = True) -> np.ndarray:
    """A kernel as a vector of length 1 whose product with another's is their CKA.

    Parameters
    ----------
    gram : (n_stimuli, n_stimuli), float
        Inner products of all pairs of stimuli, as of :func:`beholder.activations.compute_gram`.
    debiased : bool

    Returns
    -------
    ndarray of float64, (n_pairs,) or biased (n_pairs + n_stimuli,)
        NaN where nothing varies.
    """
    n = len(gram)
    if n < 4:
        raise InputError("four stimuli or more", got=f"{n}")
    above = np.triu_indices(n, 1)
    if debiased:
        off = gram - np.diag(gram.diagonal())
        sums = off.sum(axis=0)
        centred = off - (sums[:, None] + sums) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
        vector = centred[above]
    else:
        means = gram.mean(axis=0)
        centred = gram - means - means[:, None] + means.mean()
        vector = np.concatenate([math.sqrt(2) * centred[above], centred.diagonal()])
    length = math.sqrt(float(vector @ vector))
    return vector / length if length > 0 else np.full(len(vector), np.nan)


@suggest_keywords
def compute_cka_matrix(layers: Iterable[Any], others: Iterable[Any], debiased: bool = True) -> np.ndarray:
    """CKA of every layer of one side with every layer of the other, each layer read once.

    Parameters
    ----------
    layers, others : iterable of array-like, (n_stimuli, ...)
        The same stimuli in the same order. One kernel of each of ``layers`` is held (half of n_stimuli², float32 above
        2,000 stimuli), and one of ``others`` at a time.
    debiased : bool

    Returns
    -------
    ndarray of float64, (n_layers, n_others)

    Raises
    ------
    InputError
        As :func:`compute_cka`.
    """
    held: list[np.ndarray] = []
    for layer in layers:
        vector = align_kernel(compute_gram(layer), debiased)
        held.append(vector if len(layer) <= _FLOAT64_ROWS else vector.astype(np.float32))
    return np.stack([_compare(held, align_kernel(compute_gram(other), debiased)) for other in others], axis=1)


def _compare(held: Sequence[np.ndarray], vector: np.ndarray) -> np.ndarray:
    if any(len(each) != len(vector) for each in held):
        raise InputError("the same stimuli on both sides", got="two numbers of stimuli")
    return np.array([float(each @ vector.astype(each.dtype)) for each in held])
