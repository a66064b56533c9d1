"""From the 1,000 ImageNet classes to the 16 entry-level categories that people are asked about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import read_json

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet

Categories = Mapping[str, Sequence[int | str]]
"""The classes of each category: numbers of outputs, or WordNet ids."""

_Members = tuple[np.ndarray, np.ndarray, np.ndarray]

CATEGORY_RULES = ("first", "mean", "max", "sum")
"""How a category follows from the values of its classes."""

_DATA = Path(__file__).parents[1] / "_data"
_WNID = re.compile(r"(n\d{8})(?:\W|_|$)")


@lru_cache(maxsize=1)
def load_wnids() -> tuple[str, ...]:
    """The WordNet ids of the 1,000 classes in class order, which is their sorted order."""
    return tuple((_DATA / "imagenet_wnids.txt").read_text(encoding="ascii").split())


@suggest_keywords
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
@suggest_keywords
def name_categories(wnids: tuple[str, ...]) -> tuple[str, ...]:
    """The category that each WordNet id is in; ``""`` for those in none.

    >>> name_categories(("n02690373", "n02793495", ""))  # airliner, barn
    ('airplane', '', '')
    """
    of_wnid = {wnid: name for name, members in load_categories().items() for wnid in members}
    return tuple(of_wnid.get(wnid, "") for wnid in wnids)


@suggest_keywords
def decide_category(
    values: np.ndarray,
    rule: str = "first",
    wnids: tuple[str, ...] | None = None,
    categories: Categories | None = None,
) -> np.ndarray:
    r"""Say which of the 16 categories, or of others, a network's outputs mean.

    ==========  ==================================================================================================
    ``first``   the first class, from the highest value down, that belongs to a category gives the answer
    ``max``     the category with the largest :math:`\max_{i \in c} p_i`: the same answer, the other way round
    ``mean``    the category with the largest :math:`\frac{1}{|c|} \sum_{i \in c} p_i`
    ``sum``     the category with the largest :math:`\sum_{i \in c} p_i`, which favours those of many classes
    ==========  ==================================================================================================

    p are probabilities: rows of values that are not negative and add up to 1 are taken as such, others as logits, of
    which the softmax is taken. Of equal values the lower class comes first; of equal means and sums the category that
    comes first.

    Parameters
    ----------
    values : numpy.ndarray
        (n_stimuli, n_outputs), probabilities or logits.
    rule : {"first", "mean", "max", "sum"}
    wnids : tuple of str, optional
        (n_outputs,), the WordNet id of each output; default the 1,000 classes in class order.
    categories : mapping of str to sequence of int or str, optional
        The classes of each category, as numbers of outputs or as WordNet ids; no class is in two. Default the 16,
        alphabetical.

    Returns
    -------
    numpy.ndarray
        (n_stimuli,), the names of the categories.

    Raises
    ------
    InputError
        Another shape or rule; values that are NaN or infinite, or that tell no category from another; a category
        without classes, with one that is no output, or with one of another category.

    Notes
    -----
    Source: ``first`` Feather et al. (2023), ``force_16_choice``; ``mean`` Geirhos et al. (2021), Partial success in
    closing the gap between human and machine vision.
    """
    values = np.asarray(values)
    if rule not in CATEGORY_RULES:
        raise UnknownNameError("rule", rule, CATEGORY_RULES)
    if wnids is None and (categories is None or _has_wnids(categories)):
        wnids = load_wnids()
    width = "n_outputs" if wnids is None else str(len(wnids))
    if values.ndim != 2 or values.dtype.kind not in "fiu" or (wnids is not None and values.shape[1] != len(wnids)):
        raise InputError(f"outputs of shape (n_stimuli, {width})", got=f"{values.dtype} of shape {values.shape}")
    if categories is None and wnids is not None:
        names, members, places = _find_members_of_sixteen(wnids)
    else:
        names, members, places = _find_members(categories or {}, wnids or (), values.shape[1])
    own, given = _take_members(values, members)
    if rule in ("first", "max"):
        by_class = np.argsort(members)
        return names[places[by_class[own[:, by_class].argmax(axis=1)]]]
    if not given.all():  # what is left out of the softmax, its denominator, is the same for all categories
        own = np.where(given[:, None], own, np.exp(own - own.max(axis=1, keepdims=True)))
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    totals = np.add.reduceat(own, starts, axis=1)
    return names[(totals / np.bincount(places) if rule == "mean" else totals).argmax(axis=1)]


def _take_members(values: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of the categories' classes, float64, and which rows are probabilities; what tells nothing is refused."""
    wrong = (np.isnan(values) | (values == np.inf)).any(axis=1)
    if wrong.any():
        raise InputError("outputs without NaN or infinity", got=f"one for stimulus {int(wrong.argmax())}")
    given = (values >= 0).all(axis=1) & (np.abs(values.sum(axis=1, dtype=np.float64) - 1) < 1e-3)
    own = values[:, members].astype(np.float64)
    best = own.max(axis=1)
    nothing = (best == -np.inf) | (given & (best <= 0))
    if nothing.any():
        raise InputError(
            "outputs that tell categories apart", hint="logits in place of probabilities",
            got=f"nothing for any class of theirs for stimulus {int(nothing.argmax())}",
        )  # fmt: skip
    return own, given


def _has_wnids(categories: Categories) -> bool:
    if not isinstance(categories, Mapping):
        raise InputError("categories, a mapping of names to lists of classes", got=repr(categories))
    return any(
        isinstance(each, str) for members in categories.values() if not isinstance(members, str) for each in members
    )


@lru_cache(maxsize=16)
def _find_members_of_sixteen(wnids: tuple[str, ...]) -> _Members:
    """Those of the 16 categories of which the network has a class, with its classes."""
    of_outputs = name_categories(wnids)
    known = {name: [i for i, each in enumerate(of_outputs) if each == name] for name in load_categories()}
    return _find_members({name: members for name, members in known.items() if members}, wnids, len(wnids))


def _find_members(categories: Categories, wnids: tuple[str, ...], n_outputs: int) -> _Members:
    """Names; the numbers of all their classes, a category after the other; the category of each."""
    if not categories:
        raise InputError("at least one category with its classes", got="none")
    numbers = {wnid: i for i, wnid in enumerate(wnids) if wnid}
    owner: dict[int, str] = {}
    for name, classes in categories.items():
        if isinstance(classes, str) or not len(classes):
            raise InputError(f"a list of classes for the category {name!r}", got=repr(classes))
        for each in classes:
            number = numbers.get(find_wnid(each), -1) if isinstance(each, str) else each
            if not isinstance(number, int | np.integer) or not 0 <= number < n_outputs:
                known = f"numbers from 0 to {n_outputs - 1}" + (" or WordNet ids of outputs" if wnids else "")
                raise InputError(f"{known} as classes of {name!r}", got=repr(each))
            if number in owner:
                raise InputError(
                    "classes that are in one category, once", got=f"{each!r} in {owner[number]!r} and {name!r}"
                )
            owner[number] = name
    names = list(categories)
    places = np.array([names.index(name) for name in owner.values()])
    return np.array([str(name) for name in names]), np.array(list(owner)), places


@suggest_keywords
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
