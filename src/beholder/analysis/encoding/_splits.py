"""Which stimuli a model is fitted to and which it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder._core.seeds import make_generator
from beholder._core.wording import format_count

PUBLISHED_SEED = 3882
PUBLISHED_SPLITS = 10
LEAST_TESTED = 3

Split = tuple[np.ndarray, np.ndarray]
"""Places of training and of test stimuli."""


def plan_folds(
    n_stimuli: int, n_folds: int, seed: int, groups: Sequence[Any] | np.ndarray | None = None
) -> list[Split]:
    """Split stimuli into folds, each tested once, in an order drawn by the seed.

    Parameters
    ----------
    n_stimuli, n_folds, seed : int
    groups : (n_stimuli,), optional
        Stimuli of one group stay in one fold.

    Raises
    ------
    InputError
        Folds with fewer than three stimuli, or fewer groups than folds.

    >>> [len(test) for _, test in plan_folds(10, 3, seed=1)]
    [4, 3, 3]
    """
    if n_folds < 2:
        raise InputError("two folds or more", got=f"{n_folds}")
    generator = make_generator(seed, "folds", n_stimuli)
    if groups is None:
        order = generator.permutation(n_stimuli)
        parts = np.array_split(order, n_folds)
    else:
        parts = _deal_groups(np.asarray(groups), n_stimuli, n_folds, generator)
    smallest = min(len(part) for part in parts)
    if smallest < LEAST_TESTED:
        raise InputError(
            f"at least {LEAST_TESTED} stimuli in each of {format_count(n_folds, 'fold')}, "
            "for a correlation to be told from them",
            got=f"{smallest} of {format_count(n_stimuli, 'stimulus')} in one", hint=_suggest_folds(n_stimuli, n_folds),
        )  # fmt: skip
    everything = np.arange(n_stimuli)
    return [(np.setdiff1d(everything, part), np.sort(part)) for part in parts]


def _suggest_folds(n_stimuli: int, n_folds: int) -> str:
    most = n_stimuli // LEAST_TESTED
    return f"n_folds={most}" if 2 <= most < n_folds else "more stimuli, or folds of equal size"


def _deal_groups(groups: np.ndarray, n_stimuli: int, n_folds: int, generator: np.random.Generator) -> list[np.ndarray]:
    if groups.shape != (n_stimuli,):
        raise InputError(f"a group for each of {format_count(n_stimuli, 'stimulus')}", got=f"shape {groups.shape}")
    names, numbers = np.unique(groups.astype(str), return_inverse=True)
    if len(names) < n_folds:
        raise InputError(f"at least as many groups as folds, {n_folds}", got=f"{len(names)}")
    sizes = np.bincount(numbers)
    order = generator.permutation(len(names))
    filled = np.zeros(n_folds, dtype=np.int64)
    fold_of = np.zeros(len(names), dtype=np.int64)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return [np.flatnonzero(fold_of[numbers] == fold) for fold in range(n_folds)]


def plan_published_splits(
    n_stimuli: int, n_splits: int = PUBLISHED_SPLITS, seed: int = PUBLISHED_SEED
) -> list[Split]:  # fmt: skip
    """The metamer study's random halves: of 165 sounds 83 to train and 82 to test, drawn by numpy's old generator.

    Source: Feather et al. (2023), Nature Neuroscience 26, run_regressions_all_voxels_om_natsounddata.py.

    >>> [train[:3].tolist() for train, _ in plan_published_splits(165, 2)]
    [[0, 3, 7], [0, 2, 4]]
    """
    if n_stimuli < 2 * LEAST_TESTED or n_splits < 1:
        raise InputError(
            f"{2 * LEAST_TESTED} stimuli or more, and a split",
            got=f"{format_count(n_stimuli, 'stimulus')}, {format_count(n_splits, 'split')}",
        )
    draw = np.random.RandomState(seed)
    n_train = (n_stimuli + 1) // 2
    splits: list[Split] = []
    for _ in range(n_splits):
        train = np.sort(draw.choice(n_stimuli, size=n_train, replace=False))
        test = np.setdiff1d(np.arange(n_stimuli), train)
        draw.choice(
            test, size=len(test), replace=False
        )  # the study draws all of them, in an order that it does not use
        splits.append((train, test))
    return splits
