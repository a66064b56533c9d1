"""What a network says of a stimulus, in words that can be held against classes and other networks' verdicts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from beholder._core.errors import InputError
from beholder.stimuli import (
    decide_category,
    decide_word,
    load_categories,
    load_class_categories,
    load_wnids,
    load_words,
)

DECISIONS = ("category", "word", "class")
"""From the decision that people can make, too, to the network's own."""

_WNID = re.compile(r"(n\d{8})(?:\W|_|$)")


@final
@dataclass(frozen=True)
class Vocabulary:
    """The answers that one decision of a network can have.

    Attributes
    ----------
    decision : {"category", "word", "class"}
        The 16 categories by walking down the 1,000 classes; the words of networks of sounds; the network's own classes.
    n_outputs : int
        Width of the network's output.
    classes : tuple of str
        Names of the outputs, where they are known.
    """

    decision: str
    n_outputs: int
    classes: tuple[str, ...] = ()

    @cached_property
    def answers(self) -> tuple[str, ...]:
        """All answers; of the 1,000 classes of ImageNet their WordNet ids."""
        if self.decision == "category":
            return tuple(load_categories())
        if self.decision == "word":
            return load_words()
        return load_wnids() if self._is_imagenet else self.classes

    @property
    def _is_imagenet(self) -> bool:
        return self.n_outputs == len(load_wnids())

    @cached_property
    def _by_name(self) -> dict[str, str]:
        """Answer by any of its names; a name that several classes share means none of them."""
        names = {answer: answer for answer in self.answers}
        if self._is_imagenet and self.decision != "word":
            means = load_class_categories() if self.decision == "category" else load_wnids()
            names |= {wnid: answer for wnid, answer in zip(load_wnids(), means, strict=True) if answer}
            shared = {name for name in self.classes if self.classes.count(name) > 1}
            for name, answer in zip(self.classes, means, strict=bool(self.classes)) if self.classes else ():
                if answer and name not in shared:
                    names.setdefault(name, answer)
        return names

    def look_up(self, name: str) -> str:
        """The answer that ``name`` means, a class's name, a WordNet id, or an answer; empty where it means none.

        >>> Vocabulary("category", 1000).look_up("n02690373_airliner")
        'airplane'
        """
        found = self._by_name.get(name)
        match = _WNID.match(name) if found is None and self._is_imagenet and self.decision != "word" else None
        return found or (self._by_name.get(match[1], "") if match else "")

    def decide(self, logits: np.ndarray) -> np.ndarray:
        """Answers to a network's outputs.

        Parameters
        ----------
        logits : (n_stimuli, n_outputs), float

        Returns
        -------
        (n_stimuli,), str

        Raises
        ------
        InputError
            Another shape, or values that are NaN.
        """
        logits = np.asarray(logits)
        if self.decision == "category":
            return decide_category(logits)
        if self.decision == "word":
            return decide_word(logits)
        if logits.ndim != 2 or logits.shape[1] != self.n_outputs:
            raise InputError(f"outputs of shape (n_stimuli, {self.n_outputs})", got=str(logits.shape))
        if np.isnan(logits).any():
            raise InputError("outputs without NaN", got=f"NaN for {int(np.isnan(logits).any(axis=1).sum())} stimuli")
        return np.array(self.answers)[logits.argmax(axis=1)]


def list_vocabularies(n_outputs: int, classes: Sequence[str] | None, modality: str) -> tuple[Vocabulary, ...]:
    """The decisions that a network can make, by what it puts out; empty where its outputs have no names.

    Parameters
    ----------
    n_outputs : int
    classes : sequence of str, optional
        Names of the outputs.
    modality : {"image", "sound", "array"}
        Of arrays, too, 1,000 outputs count as ImageNet's classes.

    >>> [each.decision for each in list_vocabularies(1000, None, "image")]
    ['category', 'class']
    """
    names = tuple(classes or ())
    if names and len(names) != n_outputs:
        names = ()
    if modality != "sound" and n_outputs == len(load_wnids()):
        return Vocabulary("category", n_outputs, names), Vocabulary("class", n_outputs, names)
    if modality == "sound" and n_outputs == len(load_words()):
        return (Vocabulary("word", n_outputs, names),)
    return (Vocabulary("class", n_outputs, names),) if names else ()


def find_reference(vocabulary: Vocabulary, label: str, maker: Sequence[str], judge: str) -> tuple[str, str]:
    """What a stimulus should be called, and who says so.

    Its true class where that is among the answers; else what the network that the metamer was made for calls the
    original; else what the judge itself calls the original.

    Parameters
    ----------
    vocabulary : Vocabulary
        Of the judge's decision.
    label : str
        The stimulus's class as its set has it; empty when unknown.
    maker : sequence of str
        Verdicts on the original, the finest first: a class, a category.
    judge : str
        Verdict on the original.

    Returns
    -------
    reference : str
    against : {"label", "maker", "judge"}

    >>> find_reference(Vocabulary("class", 2, ("cat", "dog")), "dog", (), "cat")
    ('dog', 'label')
    """
    for name, against in ((label, "label"), *((name, "maker") for name in maker)):
        answer = vocabulary.look_up(name) if name else ""
        if answer:
            return answer, against
    return judge, "judge"
