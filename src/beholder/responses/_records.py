"""What the rooms above hand to the store, and get back: plain frozen records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final


@final
@dataclass(frozen=True)
class TrialKey:
    """What is known of one trial of a task and never sent to a browser.

    Attributes
    ----------
    task, n : int
        The task, 0 for practice; the trial in it, from 1.
    role : {"main", "catch", "practice"}
    mode : str
    unit : mapping or None
        ``model, layer, channel, batch``.
    correct : str or None
    conditions : mapping
    levels : sequence of float
        Values of the levels of an adaptive trial.
    """

    task: int
    n: int
    role: str
    mode: str
    unit: Mapping[str, Any] | None
    correct: str | None
    conditions: Mapping[str, Any] = field(default_factory=dict[str, Any])
    levels: Sequence[float] = ()


@final
@dataclass(frozen=True)
class Description:
    """What a file of answers is about; kept in the file, so that export needs nothing else.

    Attributes
    ----------
    kind : str
        Of the task.
    settings : mapping
        All settings of the experiment.
    tasks : mapping of str to str
        A fingerprint of each task's folder; one that changed is refused.
    plan_hash : str
    stimuli : str
        A hash of what all pictures and sounds hold; empty where it is not known.
    """

    kind: str
    settings: Mapping[str, Any]
    tasks: Mapping[str, str]
    plan_hash: str = ""
    stimuli: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        table = {
            "kind": self.kind,
            "settings": dict(self.settings),
            "tasks": dict(self.tasks),
            "plan_hash": self.plan_hash,
        }
        return {**table, "stimuli": self.stimuli} if self.stimuli else table


@final
@dataclass(frozen=True)
class Session:
    """One visit of a participant.

    Attributes
    ----------
    session : int
        Number in the file.
    participant : str
        Opaque name; of a recruited person a keyed hash of the recruiter's id.
    task : int
    presentation : mapping
        Order and sides of everything, drawn before the first page.
    started : float
        Seconds since 1970.
    recruit : mapping or None
        ``recruiter`` and ``parameters``, while they are kept.
    visit : int
        Which of the participant's sessions, from 1.
    """

    session: int
    participant: str
    task: int
    presentation: Mapping[str, Any]
    started: float
    recruit: Mapping[str, Any] | None = None
    visit: int = 1


@final
@dataclass(frozen=True)
class Event:
    """Something that happened in a session, and the step it led to."""

    at: float
    event: str
    step: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


PRESENTED = "presented"
"""Event: the page came to a trial: ``block``, ``trial``, its own ``key`` for this time, whether it was ``shown``."""


NOT_SHOWN = "not_shown"
"""Event: the page could not show stimuli of a trial: ``block``, ``trial``, ``reason``, ``slots`` of the folder."""

SKIPPED = "skipped"
"""Event: went on without a trial that the page could not show: ``block``, ``trial``, ``n``, ``reason``, ``slots``."""

NOTES = (PRESENTED, NOT_SHOWN)
"""Events that tell of a trial before it is answered, and move nobody on."""


@final
@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes
    ----------
    trial : int
        Position as presented, from 1; of practice within its block.
    n : int
        The trial in its task.
    at : float
        When the server got it, seconds since 1970.
    response : mapping
        As sent: ``{"choice": "upper", "confidence": 2}``.
    choice : str
        What was chosen: a slot, a label, a word, a rating.
    correct : bool or None
    confidence, level : int or None
        Level: which of an adaptive trial's was shown.
    rt_ms : float
    details : mapping
        Frames, window and sound as the page measured them.
    body : bytes
        sha256 of what was sent, by which the same answer is known again.
    block : int
        Of practice, from 1; 0 for the main trials.
    """

    trial: int
    n: int
    at: float
    response: Mapping[str, Any]
    choice: str
    correct: bool | None
    confidence: int | None
    level: int | None
    rt_ms: float
    details: Mapping[str, Any]
    body: bytes
    block: int = 0


@final
@dataclass(frozen=True)
class History:
    """Everything that a session did so far, as far as going on needs it."""

    session: Session
    events: tuple[Event, ...]
    answers: tuple[Answer, ...]
    practice: tuple[Answer, ...]
