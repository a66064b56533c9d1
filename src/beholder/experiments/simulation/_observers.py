"""Observers that take an experiment as people do: what they are shown, and how they choose."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import BeholderError, InputError, UnknownNameError, suggest_keywords
from beholder._core.hashing import hash_file
from beholder.experiments.flow._experiment import Experiment, Trial
from beholder.experiments.settings._kinds import get_task_kind
from beholder.responses import get_answer_form

Response = dict[str, Any]
"""What is sent as the answer: ``{"choice": "upper", "confidence": 2}``."""

LAPSE_RATE = 0.1
OBSERVERS = ("guess", "lapse", "ideal", "model")
"""Names of simulated participants."""


@final
class Shown:
    """One picture or sound in front of a participant; its bytes are fetched when they are looked at.

    Parameters
    ----------
    fetch : callable
        Gives the bytes of the file.
    """

    def __init__(self, fetch: Callable[[], bytes]) -> None:
        self._fetch = fetch
        self._content: bytes | None = None

    @property
    def content(self) -> bytes:
        """The bytes of a picture or sound file."""
        if self._content is None:
            self._content = self._fetch()
        return self._content

    @cached_property
    def digest(self) -> str:
        """sha256 of the bytes, as hex."""
        return hashlib.sha256(self.content).hexdigest()


@final
@dataclass(frozen=True)
class Observation:
    """What a participant sees or hears in one trial, and what can be answered.

    Attributes
    ----------
    kind : str
        Of the task.
    phase : {"practice", "main"}
    places : mapping of str to tuple of Shown
        Place on the screen to what is shown there: ``upper, lower, left, right`` of 2afc, ``items`` of odd-one-out, ….
    choices : tuple of str
        Labels or words that can be answered.
    rating_steps, confidence_steps : int
    """

    kind: str
    phase: str
    places: Mapping[str, tuple[Shown, ...]]
    choices: tuple[str, ...] = ()
    rating_steps: int = 7
    confidence_steps: int = 1

    @property
    def asked(self) -> tuple[Shown, ...]:
        """What the answer is about: the two queries, the stimulus, the pair, the three items."""
        return tuple(shown for place in get_task_kind(self.kind).asked_places for shown in self.places[place])

    @property
    def answers(self) -> tuple[Any, ...]:
        """All that can be answered, confidence apart."""
        return tuple(get_answer_form(self.kind).list_values(self.choices, self.rating_steps))

    def respond(self, answer: Any, confidence: float = 1.0) -> Response:
        """The response that gives an answer.

        Parameters
        ----------
        answer
            One of :attr:`answers`.
        confidence : float
            In [0, 1], from unsure to sure; left out where none is asked.
        """
        response: Response = {get_answer_form(self.kind).name: answer}
        if self.confidence_steps > 1:
            response["confidence"] = 1 + min(int(confidence * self.confidence_steps), self.confidence_steps - 1)
        return response


class Observer(abc.ABC):
    """Answers trials."""

    @property
    def measures(self) -> Mapping[str, float]:
        """Numbers by which it decides, which the file of answers keeps with its sessions."""
        return {}

    @property
    def names(self) -> Mapping[str, str]:
        """``network`` and ``network_layer``, where it is one, which the file of answers keeps with its sessions."""
        return {}

    @abc.abstractmethod
    def answer(self, observation: Observation, rng: np.random.Generator) -> Response:
        """The answer to one trial.

        Parameters
        ----------
        observation : Observation
        rng : numpy.random.Generator
            The participant's own; the only source of chance.
        """


@final
class GuessObserver(Observer):
    """Looks at nothing; every answer is as likely as any other."""

    def answer(self, observation: Observation, rng: np.random.Generator) -> Response:
        """See :meth:`Observer.answer`."""
        answers = observation.answers
        return observation.respond(answers[int(rng.integers(len(answers)))], float(rng.random()))


@final
class LapseObserver(Observer):
    """Guesses in a proportion of trials and answers as another observer does in the others.

    Parameters
    ----------
    rate : float
        In [0, 1].
    of : Observer
    """

    def __init__(self, rate: float, of: Observer) -> None:
        if not 0 <= rate <= 1:
            raise InputError("a proportion of lapses in [0, 1]", got=f"{rate:g}")
        self.rate = rate
        self.of = of
        self._guess = GuessObserver()

    @property
    def measures(self) -> Mapping[str, float]:
        """See :attr:`Observer.measures`: those of the other observer."""
        return self.of.measures

    @property
    def names(self) -> Mapping[str, str]:
        """See :attr:`Observer.names`: those of the other observer."""
        return self.of.names

    def answer(self, observation: Observation, rng: np.random.Generator) -> Response:
        """See :meth:`Observer.answer`."""
        lapses = rng.random() < self.rate
        return (self._guess if lapses else self.of).answer(observation, rng)


@final
class TrialFinder:
    """Tells which trials of a built folder show what a participant sees, by the bytes of the files.

    Parameters
    ----------
    experiment : Experiment
    """

    def __init__(self, experiment: Experiment) -> None:
        self.kind = experiment.kind
        self._digests: dict[Path, str] = {}
        self._known: dict[tuple[str, ...], list[Trial]] = {}
        for trial in list_trials(experiment):
            for files in list_asked_files(trial, self.kind):
                self._known.setdefault(tuple(sorted(map(self.hash, files))), []).append(trial)

    def find(self, observation: Observation) -> list[Trial]:
        """Trials that show what is shown; several only where they show the same.

        Raises
        ------
        BeholderError
            None does.
        """
        trials = self._known.get(tuple(sorted(shown.digest for shown in observation.asked)), [])
        if len(trials) > 1:
            everything = {shown.digest for place in observation.places.values() for shown in place}
            trials = [trial for trial in trials if everything <= {self.hash(path) for path in trial.files.values()}]
        if not trials:
            raise BeholderError("expected a trial of the built folder; got stimuli that are in none of its trials")
        return trials

    def hash(self, path: Path) -> str:
        """sha256 of a file, as hex; read once."""
        if path not in self._digests:
            self._digests[path] = hash_file(path)
        return self._digests[path]


@final
class IdealObserver(Observer):
    """Gives the right answer, which it reads in the built folder; guesses where no answer is right.

    Trials are known again by the bytes of what is shown. The server tells it nothing that it does not tell everybody.

    Parameters
    ----------
    experiment : Experiment
    """

    def __init__(self, experiment: Experiment) -> None:
        self._finder = TrialFinder(experiment)
        self._guess = GuessObserver()

    def answer(self, observation: Observation, rng: np.random.Generator) -> Response:
        """See :meth:`Observer.answer`."""
        found = {self._solve(trial, observation) for trial in self._finder.find(observation)}
        if found == {None}:
            return self._guess.answer(observation, rng)
        if len(found) != 1:
            raise BeholderError(
                f"expected one right answer to what is shown; got {len(found)}: trials that show the same have "
                "different keys; try another observer"
            )
        (answer,) = found
        return observation.respond(answer)

    def _solve(self, trial: Trial, observation: Observation) -> Any:
        """The right answer in terms of the page; None where there is none."""
        if trial.correct is None:
            return None
        form = get_answer_form(observation.kind)
        if not form.by_place:
            return int(trial.correct) if form.name == "rating" else trial.correct
        right = self._finder.hash(trial.files[trial.correct])
        answers = zip(form.values, observation.asked, strict=True)
        return next((answer for answer, shown in answers if shown.digest == right), None)


@suggest_keywords
def parse_observer(
    text: str, experiment: Experiment, make_model_observer: Callable[[], Observer] | None = None
) -> Observer:
    """The observer that a few words name.

    Parameters
    ----------
    text : str
        ``guess``, ``ideal``, ``model``, ``lapse`` (of ``ideal``, in a tenth of the trials), ``lapse:RATE`` or
        ``lapse:RATE:OBSERVER``.
    experiment : Experiment
        What it will take.
    make_model_observer : callable, optional
        Makes the observer that follows a network.

    Raises
    ------
    UnknownNameError
        There is no such observer.
    InputError
        A proportion of lapses that is none; ``model`` where no network is given.

    Examples
    --------
    >>> parse_observer("lapse:0.1:guess", experiment=None).rate
    0.1
    """
    name, _, rest = text.partition(":")
    if name == "lapse":
        rate, _, inner = rest.partition(":")
        try:
            proportion = float(rate or LAPSE_RATE)
        except ValueError:
            raise InputError("lapse:RATE or lapse:RATE:OBSERVER", got=text, hint="lapse:0.1") from None
        return LapseObserver(proportion, parse_observer(inner or "ideal", experiment, make_model_observer))
    if rest or name not in OBSERVERS:
        raise UnknownNameError("observer", text, OBSERVERS)
    if name == "guess":
        return GuessObserver()
    if name == "ideal":
        return IdealObserver(experiment)
    if make_model_observer is None:
        raise InputError("a network for the observer", got="none", hint="--model_name NAME")
    return make_model_observer()


@suggest_keywords
def list_trials(experiment: Experiment) -> Iterator[Trial]:
    """Every trial of a built folder, those for practice last."""
    for task in experiment.tasks:
        yield from task.trials
    yield from experiment.practice


@suggest_keywords
def list_asked_files(trial: Trial, kind: str) -> Iterator[tuple[Path, ...]]:
    """The files that the answer is about; of an adaptive trial once for each level."""
    slots = get_task_kind(kind).asked_slots
    for level in range(len(trial.levels)) if trial.levels else (None,):
        yield tuple(trial.files.get(f"{slot}_level_{level}") or trial.files[slot] for slot in slots)
