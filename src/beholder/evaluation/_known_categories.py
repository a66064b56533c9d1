"""Which categories a network can tell: outputs of each, and what labels of stimuli mean among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import pick_words
from beholder.models import Model, Vocabulary, list_vocabularies
from beholder.stimuli import NO_WORD


@final
@dataclass(frozen=True, eq=False)
class KnownCategories:
    """Categories of a network.

    Attributes
    ----------
    outputs : dict of str to list of int
        Numbers of the outputs of each category.
    vocabularies : tuple of Vocabulary
        By which labels are looked up: a class's name, a WordNet id.
    """

    outputs: dict[str, list[int]]
    vocabularies: tuple[Vocabulary, ...]

    def look_up(self, label: str) -> str:
        """The category that a label means; empty where it means none."""
        if label in self.outputs:
            return label
        meant = [vocabulary.look_up(label) for vocabulary in self.vocabularies]
        known = next((each for each in meant if each in self.outputs), "")
        if known:
            return known
        own = next((vocabulary for vocabulary in self.vocabularies if vocabulary.decision == "class"), None)
        answer = own.look_up(label) if own is not None else ""
        number = own.answers.index(answer) if own is not None and answer else -1
        return next((name for name, numbers in self.outputs.items() if number in numbers), "")


@suggest_keywords
def find_categories(
    model: Model,
    n_outputs: int,
    labels: Sequence[str] = (),
    categories: Mapping[str, Sequence[int | str]] | None = None,
) -> KnownCategories:
    """The categories that a network is asked for, and its outputs for each.

    Parameters
    ----------
    model : Model
    n_outputs : int
    labels : sequence of str
        Of the stimuli; the first kind of categories that holds one of them is taken.
    categories : mapping of str to sequence of int or str, optional
        Given ones: numbers of outputs, WordNet ids, or names of the network's classes.

    Raises
    ------
    InputError
        Outputs without names; labels that are none of what the network can answer; classes that it does not have.
    """
    vocabularies = list_vocabularies(n_outputs, model.classes, model.modality)
    if categories is not None:
        return KnownCategories(_resolve(categories, vocabularies, n_outputs, model.name), vocabularies)
    if not vocabularies:
        raise InputError(
            "a network whose outputs have names", got=f"{model.name}, whose {n_outputs} have none",
            hint=pick_words("", "categories={name: [numbers of outputs]}, or ") + "a classifier of ImageNet's classes",
        )  # fmt: skip
    told = sorted(set(labels))
    for vocabulary in vocabularies:
        known = KnownCategories(_list_outputs(vocabulary), vocabularies)
        if not told or any(known.look_up(label) for label in told):
            return known
    raise InputError(
        "a network that can answer with the stimuli's labels",
        hint="a classifier of these" + pick_words("", ", or categories={name: …}"),
        got=f"{model.name}, which knows none of {', '.join(map(repr, told[:3]))}{', …' if len(told) > 3 else ''}",
    )  # fmt: skip


def list_category_outputs(model: Model, n_outputs: int) -> dict[str, list[int]]:
    """Outputs of each of the 16 categories, of a network of ImageNet's classes; else empty."""
    vocabularies = list_vocabularies(n_outputs, model.classes, model.modality)
    category = next((each for each in vocabularies if each.decision == "category"), None)
    return _list_outputs(category) if category is not None else {}


def _list_outputs(vocabulary: Vocabulary) -> dict[str, list[int]]:
    """Outputs of each answer, in the answers' order."""
    found: dict[str, list[int]] = {answer: [] for answer in vocabulary.answers if answer not in ("", NO_WORD)}
    for number, meaning in enumerate(vocabulary.meanings):
        if meaning in found:
            found[meaning].append(number)
    return found


def _resolve(
    categories: Mapping[str, Sequence[int | str]], vocabularies: Sequence[Vocabulary], n_outputs: int, model: str
) -> dict[str, list[int]]:
    own = next((vocabulary for vocabulary in vocabularies if vocabulary.decision != "category"), None)
    places = {answer: number for number, answer in enumerate(own.answers)} if own is not None else {}
    resolved: dict[str, list[int]] = {}
    for name, classes in categories.items():
        numbers: list[int] = []
        for each in [classes] if isinstance(classes, str) else classes:
            number = (
                places.get(own.look_up(each) if own is not None else "", -1) if isinstance(each, str) else int(each)
            )
            if not 0 <= number < n_outputs:
                raise InputError(f"classes of {model} for {name!r}", got=repr(each))
            numbers.append(number)
        resolved[str(name)] = numbers
    return resolved
