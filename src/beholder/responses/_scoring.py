"""From what was pressed to what was chosen, and whether it is right: pure functions for all kinds of task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.narrowing import class_of, is_json_object
from beholder._core.registry import Registry


@final
@dataclass(frozen=True)
class AnswerForm:
    """What an answer to one kind of task looks like.

    Attributes
    ----------
    name : str
        The field that holds it: ``choice``, ``label``, ``word`` or ``rating``.
    values : tuple
        What it can be; empty where the experiment says (labels, words, ratings).
    by_place : bool
        Whether it names a place on the screen, so that what was chosen depends on what was shown there.
    rows : tuple of str
        The two answers that a rule about choosing both often enough counts; empty where there are no two.
    """

    name: str
    values: tuple[Any, ...] = ()
    by_place: bool = False
    rows: tuple[str, ...] = ()

    @property
    def needs_choices(self) -> bool:
        """Whether the experiment's settings have to say what can be chosen: labels, words."""
        return not self.values and self.name != "rating"

    def list_values(self, choices: Sequence[str], rating_steps: int) -> Sequence[Any]:
        """All that can be answered in an experiment with these choices and ratings from 1.

        >>> AnswerForm("rating").list_values((), 3)
        (1, 2, 3)
        """
        if self.needs_choices:
            return choices
        return self.values or tuple(range(1, rating_steps + 1))


ANSWER_FORMS: Mapping[str, AnswerForm] = MappingProxyType({
    "2afc": AnswerForm("choice", ("upper", "lower"), by_place=True, rows=("upper", "lower")),
    "counterfactual": AnswerForm("choice", ("left", "right"), by_place=True, rows=("left", "right")),
    "recognition": AnswerForm("label"),
    "words": AnswerForm("word"),
    "same_different": AnswerForm("choice", ("same", "different"), rows=("same", "different")),
    "odd_one_out": AnswerForm("choice", (0, 1, 2), by_place=True),
    "similarity": AnswerForm("rating"),
})  # fmt: skip
"""Kind of task to the form of its answers; tables of answers need no more of a kind."""


class AnsweredKind(Protocol):
    """A kind of task as tables of answers see it; records of experiments are such."""

    @property
    def form(self) -> AnswerForm:
        """What an answer looks like."""
        ...


@final
@dataclass(frozen=True)
class _OwnKind:
    form: AnswerForm


TASK_KINDS: Registry[AnsweredKind] = Registry("kind of task", "beholder.task_kinds")
"""Kinds of task by name: those of this package with no more than their form, those of others with their record."""

for _name, _form in ANSWER_FORMS.items():
    TASK_KINDS.add(_name, _OwnKind(_form))


@final
@dataclass(frozen=True)
class Score:
    """What an answer means.

    Attributes
    ----------
    choice : str
        What was chosen: the slot that was shown there (``query_max``), a label, a word, ``same``, a rating.
    correct : bool or None
        None where no answer is right.
    confidence : int or None
        As labelled on the button, 1 the least sure.
    """

    choice: str
    correct: bool | None
    confidence: int | None


@suggest_keywords
def check_response(
    kind: str,
    response: Any,
    *,
    choices: Sequence[str] = (),
    rating_steps: int = 7,
    confidence_steps: int = 1,
) -> dict[str, Any]:
    """Refuse a response that no button of the page could have given.

    Parameters
    ----------
    kind : str
        Of :data:`ANSWER_FORMS`.
    response : object
        Parsed JSON: ``{"choice": "upper", "confidence": 2}``.
    choices : sequence of str
        Labels or words that can be chosen.
    rating_steps, confidence_steps : int
        How many there are, from 1; confidence of one step is not asked.

    Returns
    -------
    dict
        The response.

    Raises
    ------
    InputError
        Another field, type or value.
    """
    form = get_answer_form(kind)
    wanted = {form.name, "confidence"} if confidence_steps > 1 else {form.name}
    if not is_json_object(response) or set(response) != wanted:
        got = ", ".join(sorted(map(str, response)))[:80] if is_json_object(response) else class_of(response).__name__
        raise InputError(f"a response with {' and '.join(sorted(wanted))} and nothing else", got=got or "nothing")
    _check_value(form.name, response[form.name], form.list_values(choices, rating_steps))
    if confidence_steps > 1:
        _check_value("confidence", response["confidence"], range(1, confidence_steps + 1))
    return response


@suggest_keywords
def score_response(kind: str, response: Mapping[str, Any], shown: Mapping[str, Any], correct: str | None) -> Score:
    """Say what was chosen and whether it is right.

    Parameters
    ----------
    kind : str
        Of :data:`ANSWER_FORMS`.
    response : mapping
        As :func:`check_response` lets through.
    shown : mapping
        Place on the screen to the slot shown there; of three items a list, left to right.
    correct : str or None
        The right answer: a slot, a label, a word, ``same`` or ``different``; None where none is.

    Examples
    --------
    >>> shown = {"upper": "query_max", "lower": "query_min"}
    >>> score_response("2afc", {"choice": "upper", "confidence": 3}, shown, "query_max")
    Score(choice='query_max', correct=True, confidence=3)
    """
    form = get_answer_form(kind)
    value = response[form.name]
    chosen = value
    if form.by_place:
        chosen = shown["items"][value] if isinstance(value, int) else shown[value]
    choice = str(chosen)
    return Score(choice, None if correct is None else choice == correct, response.get("confidence"))


@suggest_keywords
def get_answer_form(kind: str) -> AnswerForm:
    """The form of a kind's answers; an unknown kind is refused."""
    return TASK_KINDS[kind].form


def _check_value(name: str, value: Any, allowed: Sequence[Any] | range) -> None:
    """True is not 1, 2.0 is not 2, and a text is not looked for among numbers."""
    example = allowed[0] if len(allowed) else ""
    if type(value) is not type(example) or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{name} of type {type(example).__name__}", got=type(value).__name__)
    if value not in allowed:
        few = ", ".join(map(str, allowed[:8])) + (", ..." if len(allowed) > 8 else "")
        raise InputError(f"{name} to be one of {few}", got=str(value)[:40])
