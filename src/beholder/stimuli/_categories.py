"""From the 1,000 ImageNet classes to the 16 entry-level categories that people are asked about."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from beholder._core.errors import InputError
from beholder._core.files import read_json

_DATA = Path(__file__).parent / "_data"


@lru_cache(maxsize=1)
def load_wnids() -> tuple[str, ...]:
    """The WordNet ids of the 1,000 classes in class order, which is their sorted order."""
    return tuple((_DATA / "imagenet_wnids.txt").read_text(encoding="ascii").split())


@lru_cache(maxsize=1)
def _read_categories() -> dict[str, tuple[str, ...]]:
    return {name: tuple(wnids) for name, wnids in read_json(_DATA / "sixteen_categories.json")["categories"].items()}


def load_categories() -> dict[str, tuple[str, ...]]:
    """The 16 categories, alphabetical, each with the WordNet ids of its ImageNet classes.

    Source: Geirhos et al. 2018 (16-class ImageNet), the classes of ILSVRC 2012 only.

    >>> load_categories()["airplane"]
    ('n02690373',)
    """
    return dict(_read_categories())


def load_class_categories() -> tuple[str, ...]:
    """The category of each of the 1,000 classes, in class order; ``""`` for classes in none."""
    of_wnid = {wnid: name for name, wnids in load_categories().items() for wnid in wnids}
    return tuple(of_wnid.get(wnid, "") for wnid in load_wnids())


def decide_category(values: np.ndarray) -> np.ndarray:
    """Say which of the 16 categories a network's outputs mean.

    The first class, from the highest value down, that belongs to a category gives the answer; of equal values the
    lower class comes first.

    Parameters
    ----------
    values : numpy.ndarray
        (n_stimuli, 1000), probabilities or logits in class order.

    Returns
    -------
    numpy.ndarray
        (n_stimuli,), the names of the categories.

    Raises
    ------
    InputError
        Another shape, or values that are NaN.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != len(load_wnids()):
        raise InputError("outputs of shape (n_stimuli, 1000)", got=str(values.shape))
    names = np.array(load_class_categories())
    members = np.flatnonzero(names != "")
    if np.isnan(values).any():
        raise InputError("outputs without NaN", got=f"NaN for stimulus {int(np.isnan(values).any(axis=1).argmax())}")
    return names[members[values[:, members].argmax(axis=1)]]
