"""Which stimuli a probe is fitted to, which choose its penalty, and which test it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from beholder._core.errors import InputError

TRAIN, VALIDATION, TEST, LEFT_OUT = 0, 1, 2, -1
PARTS = ("train", "validation", "test")
Split = Literal["stratified", "hash"]
_SHARES = (0.6, 0.2, 0.2)
_WORDS = {
    "train": TRAIN, "training": TRAIN, "fit": TRAIN, "validation": VALIDATION, "valid": VALIDATION, "val": VALIDATION,
    "test": TEST, "testing": TEST, "": LEFT_OUT, "nan": LEFT_OUT,
}  # fmt: skip


def read_parts(values: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Parts that a table names, (n_stimuli,), int; empty ones are left out.

    >>> read_parts(["train", "val", "test", ""]).tolist()
    [0, 1, 2, -1]
    """
    words = [str(value).strip().lower() for value in values]
    unknown = sorted({word for word in words if word not in _WORDS})
    if unknown:
        raise InputError("parts called train, validation or test", got=repr(unknown[0]))
    return np.array([_WORDS[word] for word in words], dtype=np.int64)


def split_by_hash(keys: Sequence[str], labels: np.ndarray | None, seed: int) -> np.ndarray:
    """Three parts of .6, .2 and .2 by the hash of a key and the seed, whatever their order.

    Parameters
    ----------
    keys : sequence of str, (n_stimuli,)
        Ids, or names of groups, whose stimuli then share a part.
    labels : (n_stimuli,), int, optional
        Split each class on its own; without, a key's part depends on nothing but itself.
    seed : int

    Returns
    -------
    (n_stimuli,), int

    Raises
    ------
    InputError
        A class of fewer than three stimuli.

    Examples
    --------
    >>> parts = split_by_hash([f"s{i}" for i in range(10)], np.repeat([0, 1], 5), 1)
    >>> np.bincount(parts).tolist()
    [6, 2, 2]
    """
    places = np.array([_place(key, seed) for key in keys])
    if labels is None:
        return np.searchsorted(np.cumsum(_SHARES[:2]), places, side="right")
    parts = np.full(len(keys), TRAIN)
    for each in np.unique(labels):
        rows = np.flatnonzero(labels == each)
        if len(rows) < len(PARTS):
            got = f"{len(rows)} of class {int(each)}"
            raise InputError("three stimuli or more of each class, to fit, to choose and to test", got=got)
        order = rows[np.argsort(places[rows], kind="stable")]
        n = max(1, round(_SHARES[1] * len(rows)))
        parts[order[:n]], parts[order[n : 2 * n]] = VALIDATION, TEST
    return parts


def _place(key: str, seed: int) -> float:
    digest = hashlib.blake2b(f"{seed}\0{key}".encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def check_parts(parts: np.ndarray, labels: np.ndarray, names: Sequence[str], *, chooses: bool) -> None:
    """Refuse parts in which a probe cannot be fitted, chosen or tested."""
    sizes = [int((parts == part).sum()) for part in range(len(PARTS))]
    for part, size in zip(PARTS, sizes, strict=True):
        if not size and (chooses or part != "validation"):
            raise InputError(f"stimuli in the {part} part", got="none")
    missing = sorted(set(range(len(names))) - set(labels[parts == TRAIN].tolist()))
    if missing:
        raise InputError("every class in the train part", got=f"none of {names[missing[0]]!r}")
