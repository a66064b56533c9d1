"""Models and people with the same known pairs, compared together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.statistics._rdm_comparison import Pairs, PreparedRdms, compare_prepared, condense_rdm, count_stimuli


def stack_rdms(rdms: Any) -> np.ndarray:
    """RDMs as (n_rdms, n_pairs), float64; what is that already is not copied."""
    given: Any = rdms
    if isinstance(rdms, np.ndarray) and given.ndim == 2 and len(given) and given.dtype == np.float64:
        count_stimuli(given.shape[1])
        return given
    rows = [condense_rdm(rdm) for rdm in given]
    if not rows or len({len(row) for row in rows}) > 1:
        raise InputError(
            "at least one RDM, all of the same stimuli", got=f"{len(rows)} of unlike size" if rows else "none"
        )
    return np.stack(rows)


def group_rdms(
    models: np.ndarray, people: np.ndarray, method: str
) -> Iterator[tuple[list[int], list[int], PreparedRdms, PreparedRdms]]:
    """Models and people with the same known pairs, prepared together."""
    n = count_stimuli(models.shape[1])
    for of_models in find_alike(np.isfinite(models)):
        for of_people in find_alike(np.isfinite(people)):
            known = np.isfinite(models[of_models[0]]) & np.isfinite(people[of_people[0]])
            pairs = Pairs(n, known)
            sides = (models[of_models], people[of_people])
            one, two = (PreparedRdms(side[:, known], pairs, method) for side in sides)
            yield of_models, of_people, one, two


def compare_groups(
    groups: Sequence[tuple[list[int], list[int], PreparedRdms, PreparedRdms]],
    shape: tuple[int, ...],
    drawn: np.ndarray | None,
) -> np.ndarray:
    found = np.full(shape, np.nan)
    for of_models, of_people, one, two in groups:
        if len(one.pairs):
            found[np.ix_(np.array(of_models), np.array(of_people))] = compare_prepared(one, two, drawn)
    return found


def find_alike(known: np.ndarray) -> list[list[int]]:
    found: dict[bytes, list[int]] = {}
    for row, each in enumerate(known):
        found.setdefault(np.packbits(each).tobytes(), []).append(row)
    return list(found.values())


def square_rdm(pairs: np.ndarray, n: int) -> np.ndarray:
    square = np.zeros((n, n))
    square[np.triu_indices(n, 1)] = pairs
    return square + square.T


@suggest_keywords
def compare_halves(
    model_rdms: np.ndarray, subject_rdms: np.ndarray, method: str, half: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each model's mean comparison over people within some stimuli, and within the others, (n_models,) each.

    Parameters
    ----------
    model_rdms, subject_rdms : (n, n_pairs)
    method : str
    half : (n_stimuli,), bool
    """
    groups = list(group_rdms(model_rdms, subject_rdms, method))
    shape = (len(model_rdms), len(subject_rdms))
    one, two = (compare_groups(groups, shape, part.astype(np.int64)).mean(axis=1) for part in (half, ~half))
    return one, two
