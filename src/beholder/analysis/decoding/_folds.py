"""Folds in which every class is tested and trained on; labels in other orders."""

from __future__ import annotations

import numpy as np

from beholder._core.errors import InputError
from beholder._core.seeds import make_generator
from beholder._core.wording import format_count


def plan_class_folds(labels: np.ndarray, n_folds: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """The fold of each stimulus, (n_stimuli,), int: classes spread evenly, groups kept whole.

    Raises
    ------
    InputError
        A class with fewer stimuli (or groups) than folds; a fold that lacks a class.
    """
    names = np.unique(labels)
    if n_folds < 2 or len(names) < 2:
        raise InputError(
            "two folds and two classes or more",
            got=f"{format_count(n_folds, 'fold')}, {format_count(len(names), 'class')}",
        )
    generator = make_generator(seed, "class folds", len(labels))
    units = np.arange(len(labels)) if groups is None else np.unique(groups.astype(str), return_inverse=True)[1]
    sizes = {str(name): len(np.unique(units[labels == name])) for name in names}
    smallest = min(sizes, key=lambda name: sizes[name])
    if sizes[smallest] < n_folds:
        what = "stimuli" if groups is None else "groups"
        raise InputError(
            f"at least {n_folds} {what} of each class "
            f"for {format_count(n_folds, 'fold')}", got=f"{sizes[smallest]} of {smallest!r}",
            hint=f"n_folds={max(2, sizes[smallest])}" if sizes[smallest] > 1 else "leaving this class out",
        )  # fmt: skip
    n_units = int(units.max()) + 1
    counts = np.zeros((n_units, len(names)), dtype=np.int64)
    np.add.at(counts, (units, np.searchsorted(names, labels)), 1)
    order = generator.permutation(n_units)
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    filled = np.zeros((n_folds, len(names)))
    share = counts.sum(axis=0) / n_folds
    fold_of = np.zeros(n_units, dtype=np.int64)
    for unit in order:
        # The fold that is emptiest in the classes that this unit has.
        need = (filled / share) @ (counts[unit] > 0)
        fold_of[unit] = np.lexsort((filled.sum(axis=1), need))[0]
        filled[fold_of[unit]] += counts[unit]
    folds = fold_of[units]
    for fold in range(n_folds):
        missing = set(names.tolist()) - set(labels[folds == fold].tolist())
        if missing:
            raise InputError(
                f"groups that give each of {format_count(n_folds, 'fold')} every class",
                got=f"one without {sorted(map(str, missing))[0]!r}", hint="fewer folds",
            )  # fmt: skip
    return folds


def plan_value_folds(n_stimuli: int, n_folds: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """The fold of each stimulus, (n_stimuli,), int, where there are no classes: dealt at random, groups kept whole.

    Raises
    ------
    InputError
        Fewer than two folds, or more than there are stimuli (or groups).
    """
    units = np.arange(n_stimuli) if groups is None else np.unique(groups.astype(str), return_inverse=True)[1]
    n = int(units.max()) + 1
    if not 2 <= n_folds <= n:
        raise InputError(
            f"2 to {format_count(n, 'fold')} of {n} {'stimuli' if groups is None else 'groups'}", got=f"{n_folds}"
        )
    return (make_generator(seed, "value folds", n).permutation(n) % n_folds)[units]


def draw_label_orders(
    labels: np.ndarray, n_permutations: int, seed: int, groups: np.ndarray | None = None
) -> np.ndarray:
    """Labels in random orders, (n_permutations, n_stimuli); whole groups trade labels where groups have one label each.

    Groups that hold several classes have their labels permuted within. Empty where neither is possible.
    """
    generator = make_generator(seed, "labels", len(labels))
    if groups is None:
        return generator.permuted(np.tile(labels, (n_permutations, 1)), axis=1)
    _, numbers = np.unique(groups.astype(str), return_inverse=True)
    members = [np.flatnonzero(numbers == group) for group in range(int(numbers.max()) + 1)]
    n_labels = [len(np.unique(labels[rows])) for rows in members]
    drawn = np.tile(labels, (n_permutations, 1))
    if max(n_labels) == 1:
        own = np.array([labels[rows[0]] for rows in members])
        moved = generator.permuted(np.tile(own, (n_permutations, 1)), axis=1)
        return moved[:, numbers]
    if min(n_labels) == 1:
        return np.empty((0, len(labels)), dtype=labels.dtype)
    for rows in members:
        drawn[:, rows] = generator.permuted(drawn[:, rows], axis=1)
    return drawn
