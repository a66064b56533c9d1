"""Which output of a network a name means: its own names, WordNet ids, and of ImageNet's classes every synonym."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import final

from beholder._core.errors import suggest_keywords
from beholder.models import Model, find_output_wnids, list_imagenet_classes
from beholder.stimuli import find_wnid, load_wnids, load_words

_INTEGER = re.compile(r"[+-]?\d+")
_Names = Mapping[str, frozenset[int]]


@suggest_keywords
def list_classes(model: Model, n_outputs: int) -> tuple[str, ...]:
    """Names of a network's outputs: its own, the 794 words, or ImageNet's; empty where they have none.

    Parameters
    ----------
    model : Model
    n_outputs : int
    """
    if model.classes and len(model.classes) == n_outputs:
        return tuple(model.classes)
    if model.modality == "sound":
        return load_words() if n_outputs == len(load_words()) else ()
    return list_imagenet_classes() if n_outputs == len(load_wnids()) else ()


@final
@dataclass(frozen=True)
class ClassNames:
    """Names of outputs, and what else they are called.

    Attributes
    ----------
    classes : tuple of str
        (n_outputs,).
    """

    classes: tuple[str, ...]

    @cached_property
    def wnids(self) -> tuple[str, ...]:
        """The WordNet id of each output, of ImageNet's classes; else empty."""
        return find_output_wnids(len(self.classes), self.classes) if self.classes else ()

    @cached_property
    def are_numbers(self) -> bool:
        """Whether the classes themselves are called by numbers, such as digits."""
        return bool(self.classes) and all(_INTEGER.fullmatch(name) for name in self.classes)

    @cached_property
    def _levels(self) -> tuple[_Names, ...]:
        """Outputs by name, the surest names first: as written, in any case; then synonyms likewise."""
        own = [(name, i) for i, name in enumerate(self.classes)]
        listed = [
            (name, place, i)
            for i, wnid in enumerate(self.wnids)
            for place, name in enumerate(_load_synonyms().get(wnid, ()))
        ]
        first = own + [(name, i) for name, place, i in listed if place == 0]
        further = [(name, i) for name, place, i in listed if place]
        return _group(first), _group(map(self._fold, first)), _group(further), _group(map(self._fold, further))

    def find(self, label: str) -> frozenset[int]:
        """Outputs that a label may mean: none, one, or several that share the name."""
        label = label.strip()
        surest, *others = self._levels
        if label in surest:
            return surest[label]
        wnid = find_wnid(label) if self.wnids else ""
        if wnid:
            return frozenset(i for i, each in enumerate(self.wnids) if each == wnid)
        folded = self._fold((label, 0))[0]
        names = (folded, label, folded)
        found = next((level[name] for level, name in zip(others, names, strict=True) if name in level), frozenset())
        if found or "," not in label or not self.wnids:
            return found
        parts = [each for part in label.split(",") if (each := self._find_any(part))]  # a whole list of synonyms
        return frozenset.intersection(*parts) if parts else frozenset()

    def _find_any(self, name: str) -> frozenset[int]:
        """Outputs that have a name in any place."""
        folded = self._fold((name.strip(), 0))[0]
        return frozenset[int]().union(*(level.get(folded, ()) for level in (self._levels[1], self._levels[3])))

    def find_start(self, stimulus_id: str) -> frozenset[int]:
        """Outputs whose name or WordNet id an id begins with, up to a mark that is no letter or digit."""
        found = frozenset[int]()
        surest = self._levels[0]
        for match in re.finditer(r"[_\-. ]|$", stimulus_id):
            start = stimulus_id[: match.start()]
            is_running_number = self.are_numbers and start not in surest  # 000003 is no class called 3
            found = (frozenset() if not start or is_running_number else self.find(start)) or found
        return found

    def _fold(self, named: tuple[str, int]) -> tuple[str, int]:
        name, output = named
        if self.are_numbers and _INTEGER.fullmatch(name):
            return str(int(name)), output
        return " ".join(name.casefold().replace("_", " ").split()), output


def _group(named: Iterable[tuple[str, int]]) -> _Names:
    found: dict[str, set[int]] = defaultdict(set)
    for name, output in named:
        found[name].add(output)
    return {name: frozenset(outputs) for name, outputs in found.items()}


@lru_cache(maxsize=1)
def _load_synonyms() -> dict[str, tuple[str, ...]]:
    """All names of each of the 1,000 classes, by WordNet id."""
    from timm.data.imagenet_info import ImageNetInfo

    known = ImageNetInfo()
    return {wnid: _split(known.label_name_to_description(wnid)) for wnid in load_wnids()}


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(","))
