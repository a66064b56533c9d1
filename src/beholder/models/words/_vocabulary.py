"""The answers that a network can give to a stimulus, read from its outputs: categories, words, classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.wording import format_count
from beholder.stimuli import (
    CATEGORY_RULES,
    decide_category,
    decide_word,
    find_wnid,
    load_categories,
    load_wnids,
    load_words,
    name_categories,
)

DECISIONS = ("category", "word", "class")
"""From the decision that people can make, too, to the network's own."""

_MOST = 0.95


@final
@dataclass(frozen=True)
class Vocabulary:
    """The answers that one decision of a network can have.

    Attributes
    ----------
    decision : {"category", "word", "class"}
        The 16 categories of ImageNet's classes, by ``rule``; words of networks of sounds; the network's own classes.
    n_outputs : int
        Width of the network's output.
    classes : tuple of str
        Names of the outputs, where they are known.
    wnids : tuple of str
        The WordNet id of each output, for ImageNet's classes; ``""`` for an output without one. Of ``category`` those
        of the 1,000 classes in their order, where nothing is given.
    rule : str
        How a category follows from classes, see :func:`~beholder.stimuli.decide_category`; empty of other decisions.
    """

    decision: str
    n_outputs: int
    classes: tuple[str, ...] = ()
    wnids: tuple[str, ...] = ()
    rule: str = ""

    @cached_property
    def answers(self) -> tuple[str, ...]:
        """All answers; of classes of ImageNet their WordNet ids."""
        if self.decision == "category":
            return tuple(load_categories())
        if self.decision == "word":
            return load_words()
        if self.wnids:
            names = self.classes or self.wnids
            return tuple(wnid or name for wnid, name in zip(self.wnids, names, strict=True))
        return number_twins(self.classes)

    @property
    def _ids(self) -> tuple[str, ...]:
        return self.wnids or (load_wnids() if self.decision == "category" else ())

    @cached_property
    def meanings(self) -> tuple[str, ...]:
        """What each output means, in the answers' words; ``""`` for an output that means none of them."""
        return name_categories(self._ids) if self.decision == "category" else self.answers

    @cached_property
    def _by_name(self) -> dict[str, str]:
        """Answer by any of its names; a name that several classes share means none of them."""
        names = {answer: answer for answer in self.answers}
        if self.decision == "word":
            return names
        if self._ids:
            names |= {wnid: answer for wnid, answer in zip(self._ids, self.meanings, strict=True) if wnid and answer}
        counts = Counter(self.classes)
        for name, answer in zip(self.classes, self.meanings, strict=bool(self.classes)) if self.classes else ():
            if answer and counts[name] == 1:
                names.setdefault(name, answer)
        return names

    def look_up(self, name: str) -> str:
        """The answer that ``name`` means, a class's name, a WordNet id, or an answer; empty where it means none.

        >>> Vocabulary("category", 1000).look_up("n02690373_airliner")
        'airplane'
        """
        found = self._by_name.get(name)
        wnid = find_wnid(name) if found is None and self._ids else ""
        return found or (self._by_name.get(wnid, "") if wnid else "")

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """Answers to a network's outputs.

        Parameters
        ----------
        outputs : (n_stimuli, n_outputs), float

        Returns
        -------
        (n_stimuli,), str

        Raises
        ------
        InputError
            Another shape, or values that are NaN.
        """
        outputs = np.asarray(outputs)
        if self.decision == "category":
            return decide_category(outputs, self.rule or "first", self._ids)
        if self.decision == "word":
            return decide_word(outputs)
        if outputs.ndim != 2 or outputs.shape[1] != self.n_outputs:
            raise InputError(f"outputs of shape (n_stimuli, {self.n_outputs})", got=str(outputs.shape))
        if np.isnan(outputs).any():
            raise InputError(
                "outputs without NaN",
                got=f"NaN for {format_count(int(np.isnan(outputs).any(axis=1).sum()), 'stimulus')}",
            )
        return np.array(self.answers)[outputs.argmax(axis=1)]


@suggest_keywords
def number_twins(names: Sequence[str]) -> tuple[str, ...]:
    """Names of which no two are the same: those that are there twice get the number of their output.

    >>> number_twins(["crane", "barn", "crane"])
    ('crane [0]', 'barn', 'crane [2]')
    """
    counts = Counter(names)
    return tuple(f"{name} [{i}]" if counts[name] > 1 else name for i, name in enumerate(names))


@suggest_keywords
def list_vocabularies(
    n_outputs: int, classes: Sequence[str] | None, modality: str, rule: str = "first"
) -> tuple[Vocabulary, ...]:
    """The decisions that a network can make, by what it puts out; empty where its outputs have no names.

    Parameters
    ----------
    n_outputs : int
    classes : sequence of str, optional
        Names of the outputs.
    modality : {"image", "sound", "array"}
        Of arrays, too, 1,000 outputs without names count as ImageNet's classes.
    rule : {"first", "mean", "max", "sum"}
        Of categories.

    >>> [each.decision for each in list_vocabularies(1000, None, "image")]
    ['category', 'class']
    >>> [each.decision for each in list_vocabularies(2, ["cat", "dog"], "image")]
    ['class']
    """
    if rule not in CATEGORY_RULES:
        raise UnknownNameError("rule", rule, CATEGORY_RULES)
    names = tuple(classes or ())
    names = names if len(names) == n_outputs else ()
    if modality == "sound":
        if n_outputs == len(load_words()):
            return (Vocabulary("word", n_outputs, names),)
        return (Vocabulary("class", n_outputs, names),) if names else ()
    wnids = find_output_wnids(n_outputs, names)
    own = (Vocabulary("class", n_outputs, names, wnids),) if names or wnids else ()
    if wnids and set(name_categories(wnids)) >= set(load_categories()):
        return Vocabulary("category", n_outputs, names, wnids, rule), *own
    return own


@suggest_keywords
def pick_decision(
    vocabularies: Sequence[Vocabulary], label: str = "", top: str = "", says: str = ""
) -> Vocabulary | None:
    """The decision that counts for one stimulus; None where a network can make none.

    ``category`` where the set says so, or where the stimulus's label lies in one of the 16 categories, or without a
    label what a network takes the stimulus for; ``word`` of networks of words; else ``class``.

    Parameters
    ----------
    vocabularies : sequence of Vocabulary
        Of one network.
    label : str
        The stimulus's class; empty when unknown.
    top : str
        The class that the network, for which the metamer was made, has highest for the original.
    says : str
        The decision that the set asks for, a column ``decision`` or ``category``.

    >>> both = list_vocabularies(1000, None, "image")
    >>> [pick_decision(both, label).decision for label in ("n02690373", "n02793495")]  # airliner, barn
    ['category', 'class']
    """
    made = {each.decision: each for each in vocabularies}
    if says in made:
        return made[says]
    if "word" in made:
        return made["word"]
    if "category" in made and made["category"].look_up(label or top):
        return made["category"]
    return made.get("class")


@lru_cache(maxsize=64)
@suggest_keywords
def find_output_wnids(n_outputs: int, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The WordNet id of each output of a network of ImageNet's classes, in whatever order; empty of other networks.

    Parameters
    ----------
    n_outputs : int
    classes : tuple of str
        Names of the outputs: WordNet ids, or English names. Without names, 1,000 outputs are the 1,000 classes in their
        usual order.

    >>> find_output_wnids(3, ("n02690373", "n02793495_barn", "background"))
    ()
    """
    if not classes:
        return load_wnids() if n_outputs == len(load_wnids()) else ()
    found = [find_wnid(name) for name in classes]
    if not any(found) and n_outputs >= len(load_categories()):
        found = _find_by_name(classes)
    known = [wnid for wnid in found if wnid]
    is_whole = len(known) >= _MOST * n_outputs and len(set(known)) == len(known)
    return tuple(found) if is_whole else ()


def _find_by_name(classes: Sequence[str]) -> list[str]:
    """By English names: in the usual order, with the output for the background before it or not; else one by one."""
    wnids = load_wnids()
    usual, names = [_simplify(name) for name in list_imagenet_classes()], [_simplify(name) for name in classes]
    before = len(names) - len(usual)
    if before in (0, 1):
        share = np.mean([a == b for a, b in zip(names[before:], usual, strict=True)])
        if share >= _MOST:
            return [*([""] * before), *wnids]
    of_name = dict(zip(usual, wnids, strict=True))
    counts = Counter(names)
    return [of_name.get(name, "") if counts[name] == 1 else "" for name in names]


def list_imagenet_classes() -> tuple[str, ...]:
    """The thousand ImageNet classes in the order of the outputs."""
    from torchvision.models import ResNet50_Weights

    return tuple(ResNet50_Weights.IMAGENET1K_V1.meta["categories"])


def _simplify(name: str) -> str:
    return name.partition(",")[0].strip().lower().replace("_", " ")
