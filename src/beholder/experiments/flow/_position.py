"""Where one participant stands: rebuilt from what is on disk, moved on by what is saved."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from beholder.experiments.adaptive._staircase import pick_level
from beholder.experiments.flow._experiment import Experiment, Trial
from beholder.experiments.flow._flow import find_breaks
from beholder.responses import NOTES, SKIPPED, Answer, Event, History


@final
@dataclass(frozen=True)
class SavedAnswer:
    """An answer that is on disk, as far as later requests need it; or none, where nothing could be shown."""

    digest: bytes
    n: int
    correct: bool | None
    level: int | None
    is_skipped: bool = False


@final
@dataclass(eq=False)
class Position:
    """One participant between two requests.

    Attributes
    ----------
    session, task : int
    main : sequence of [n, shown]
        The main trials as presented.
    blocks : sequence of such sequences
        The practice blocks that can come.
    step : str
    block : int
        The practice block that runs, from 1; after practice the last one.
    given : dict of int to list of SavedAnswer
        Answers by practice block; those to the main trials under 0.
    checks : dict or None
        What the checks found.
    parameters : dict
        Of the recruiter's link.
    n_events : int
        How many events are on disk.
    keys : set of bytes
        sha256 of the tokens by which it was asked for.
    noted : dict of (str, int, int) to list of dict
        By event, practice block and trial, what was said of a trial that is not answered yet.
    visit : int
        Which of the participant's sessions, from 1.
    answered_all : float or None
        When the last main trial was answered, seconds since 1970.
    lock : asyncio.Lock
        Held while a request of this participant is being saved.
    """

    session: int
    task: int
    main: Sequence[Any]
    blocks: Sequence[Any]
    step: str
    block: int = 1
    given: dict[int, list[SavedAnswer]] = field(default_factory=dict)
    checks: dict[str, Any] | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    n_events: int = 0
    keys: set[bytes] = field(default_factory=set)
    noted: dict[tuple[str, int, int], list[dict[str, Any]]] = field(default_factory=dict)
    visit: int = 1
    answered_all: float | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def phase(self) -> int:
        """What is running: the practice block, or 0 for the main trials."""
        return self.block if self.step == "practice" else 0

    def list_given(self, phase: int | None = None) -> list[SavedAnswer]:
        """Answers of a phase, the running one by default, in order."""
        return self.given.setdefault(self.phase if phase is None else phase, [])

    def list_trials(self, phase: int | None = None) -> Sequence[Any]:
        """Trials of a phase as presented."""
        phase = self.phase if phase is None else phase
        return self.main if phase == 0 else self.blocks[phase - 1]

    def list_noted(self, event: str, phase: int, number: int) -> list[dict[str, Any]]:
        """What was said of a trial without an answer, in order: :data:`NOTES` of the page."""
        return self.noted.get((event, phase, number), [])

    def take_event(self, event: Event) -> None:
        """Move on by an event that is on disk."""
        self.step = event.step
        self.n_events += 1
        if event.event == "checks":
            self.checks = dict(event.data)
        elif event.event == "answered_all":
            self.answered_all = event.at
        elif event.event == "practice_block" and event.step == "practice":
            self.block = int(event.data["block"]) + 1
        elif event.event in NOTES:
            place = (event.event, event.data["block"], event.data["trial"])
            self.noted.setdefault(place, []).append(dict(event.data))

    def take_answer(self, answer: Answer) -> None:
        """Move on by an answer that is on disk."""
        self.list_given(answer.block).append(SavedAnswer(answer.body, answer.n, answer.correct, answer.level))
        for event in NOTES:
            self.noted.pop((event, answer.block, answer.trial), None)

    def take_skip(self, skip: Mapping[str, Any]) -> None:
        """Take in that a trial was gone on without: the data of the event, which is on disk.

        After the answers of the trials before it.
        """
        block, trial = skip["block"], skip["trial"]
        self.list_given(block).insert(trial - 1, SavedAnswer(b"", skip["n"], None, None, is_skipped=True))
        for event in NOTES:
            self.noted.pop((event, block, trial), None)


def restore_position(history: History) -> Position:
    """Where a participant stands, from all that is on disk."""
    presentation = _share_texts(history.session.presentation)
    recruit = history.session.recruit or {}
    position = Position(
        history.session.session, history.session.task, presentation["main"], presentation["practice"], "consent",
        parameters=dict(recruit.get("parameters", {})), visit=history.session.visit,
    )  # fmt: skip
    for event in history.events:
        position.take_event(event)
    for answer in (*history.practice, *history.answers):
        position.take_answer(answer)
    skips = [event.data for event in history.events if event.event == SKIPPED]
    for skip in sorted(skips, key=lambda data: data["trial"]):
        position.take_skip(skip)
    return position


def _share_texts(value: Any) -> Any:
    """The same JSON value with every text there once, and tuples for lists, which Python's garbage collector lets be.

    So thousands of participants fit into memory, and looking for garbage among them takes little time.
    """
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, Mapping):
        return {sys.intern(name): _share_texts(each) for name, each in value.items()}
    return tuple(_share_texts(each) for each in value) if isinstance(value, list) else value


def find_trial(experiment: Experiment, position: Position, phase: int, n: int) -> Trial:
    """The trial of the built folder that a presented one shows."""
    trials = experiment.get_task(position.task).trials if phase == 0 else experiment.practice
    return trials[n - 1]


def choose_level(experiment: Experiment, position: Position, phase: int, trial_number: int) -> tuple[bool, int | None]:
    """Which level of a trial is shown.

    Parameters
    ----------
    trial_number : int
        Position as presented, from 1.

    Returns
    -------
    known : bool
        Whether it can be said yet: every earlier answer of the same staircase is there.
    level : int or None
        Its position among the levels; None for a trial that has none.
    """
    rows, given = position.list_trials(phase), position.list_given(phase)
    trial = find_trial(experiment, position, phase, rows[trial_number - 1][0])
    if not trial.levels:
        return True, None
    if trial_number <= len(given):
        return True, given[trial_number - 1].level
    answers = []
    for k, (n, _) in enumerate(rows[: trial_number - 1]):
        other = find_trial(experiment, position, phase, n)
        if not _is_same_staircase(trial, other):
            continue
        if k >= len(given):
            return False, None
        level, correct = given[k].level, given[k].correct
        if level is not None and correct is not None:
            answers.append((other.levels[level], correct))
    assert experiment.settings.adaptive is not None  # checked when the server starts
    return True, pick_level(experiment.settings.adaptive, trial.levels, answers)


def _is_same_staircase(one: Trial, other: Trial) -> bool:
    return one.levels == other.levels and one.conditions.get("staircase") == other.conditions.get("staircase")


def list_breaks(experiment: Experiment, position: Position) -> list[int]:
    """After how many main trials this participant is offered a break."""
    return find_breaks(experiment.settings, len(position.main))
