"""From the 1,000 ImageNet classes to the 16 entry-level categories that people are asked about."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.files import read_json

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet

CATEGORY_RULES = ("first", "mean", "max", "sum")
"""How a category follows from the values of its classes."""

_DATA = Path(__file__).parents[1] / "_data"
_WNID = re.compile(r"(n\d{8})(?:\W|_|$)")


@lru_cache(maxsize=1)
def load_wnids() -> tuple[str, ...]:
    """The WordNet ids of the 1,000 classes in class order, which is their sorted order."""
    return tuple((_DATA / "imagenet_wnids.txt").read_text(encoding="ascii").split())


def find_wnid(name: str) -> str:
    """The WordNet id that a name begins with; empty where it begins with none.

    >>> [find_wnid(name) for name in ("n02690373_airliner", "n02690373", "n026903731", "barn")]
    ['n02690373', 'n02690373', '', '']
    """
    match = _WNID.match(name)
    return match[1] if match else ""


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
    return name_categories(load_wnids())


@lru_cache(maxsize=16)
def name_categories(wnids: tuple[str, ...]) -> tuple[str, ...]:
    """The category that each WordNet id is in; ``""`` for those in none.

    >>> name_categories(("n02690373", "n02793495", ""))  # airliner, barn
    ('airplane', '', '')
    """
    of_wnid = {wnid: name for name, members in load_categories().items() for wnid in members}
    return tuple(of_wnid.get(wnid, "") for wnid in wnids)


def decide_category(values: np.ndarray, rule: str = "first", wnids: tuple[str, ...] | None = None) -> np.ndarray:
    r"""Say which of the 16 categories a network's outputs mean.

    ==========  ==================================================================================================
    ``first``   the first class, from the highest value down, that belongs to a category gives the answer
    ``max``     the category with the largest :math:`\max_{i \in c} p_i`: the same answer, the other way round
    ``mean``    the category with the largest :math:`\frac{1}{|c|} \sum_{i \in c} p_i`
    ``sum``     the category with the largest :math:`\sum_{i \in c} p_i`, which favours those of many classes
    ==========  ==================================================================================================

    p are probabilities: rows of values that are not negative and add up to 1 are taken as such, others as logits, of
    which the softmax is taken. Of equal values the lower class comes first; of equal means and sums the category that
    is first in the alphabet.

    Parameters
    ----------
    values : numpy.ndarray
        (n_stimuli, n_outputs), probabilities or logits.
    rule : {"first", "mean", "max", "sum"}
    wnids : tuple of str, optional
        (n_outputs,), the WordNet id of each output; default the 1,000 classes in class order.

    Returns
    -------
    numpy.ndarray
        (n_stimuli,), the names of the categories.

    Raises
    ------
    InputError
        Another shape or rule, or values that are NaN.

    Notes
    -----
    Source: ``first`` Feather et al. (2023), ``force_16_choice``; ``mean`` Geirhos et al. (2021), Partial success in
    closing the gap between human and machine vision.
    """
    values = np.asarray(values)
    wnids = load_wnids() if wnids is None else wnids
    if rule not in CATEGORY_RULES:
        raise UnknownNameError("rule", rule, CATEGORY_RULES)
    if values.ndim != 2 or values.shape[1] != len(wnids):
        raise InputError(f"outputs of shape (n_stimuli, {len(wnids)})", got=str(values.shape))
    names = np.array(name_categories(wnids))
    members = np.flatnonzero(names != "")
    if np.isnan(values).any():
        raise InputError("outputs without NaN", got=f"NaN for stimulus {int(np.isnan(values).any(axis=1).argmax())}")
    if rule in ("first", "max"):
        return names[members[values[:, members].argmax(axis=1)]]
    known, places, counts = np.unique(names[members], return_inverse=True, return_counts=True)
    totals = np.zeros((len(values), len(known)))
    np.add.at(totals.T, places, _to_probabilities(values)[:, members].T)
    return known[(totals / counts if rule == "mean" else totals).argmax(axis=1)]


def _to_probabilities(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    given = (values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) < 1e-3)
    with np.errstate(invalid="ignore"):
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        softmax = powers / powers.sum(axis=1, keepdims=True)
    return np.where(given[:, None], values, softmax)


def list_asked_decisions(stimuli: StimulusSet) -> tuple[str, ...]:
    """The decision that a set asks for, of each stimulus; ``""`` where it asks for none.

    A set asks by a column ``decision`` with ``category``, ``word`` or ``class``, as far as it is filled, or by a column
    ``category`` with the name of one of the 16.

    Parameters
    ----------
    stimuli : StimulusSet
    """
    columns = {name: [str(value) for value in values] for name, values in stimuli.conditions.items()}
    asked = columns.get("decision", [])
    if asked and set(asked) <= {"category", "word", "class", ""}:
        return tuple(asked)
    known = load_categories()
    return tuple("category" if name in known else "" for name in columns.get("category", [""] * len(stimuli)))
