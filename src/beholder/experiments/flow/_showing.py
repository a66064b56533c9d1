"""How often a trial was shown, and whether it may be shown once more: announced by the page, kept by the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beholder.experiments.flow._experiment import Experiment, Trial
from beholder.experiments.flow._position import Position, find_trial
from beholder.experiments.settings._kinds import get_task_kind
from beholder.experiments.settings._settings import Settings
from beholder.responses import PRESENTED, Event


def is_brief(settings: Settings, trial: Trial, stimulus_ms: float) -> bool:
    """Whether a trial's stimuli are gone before its answer: pictures with a time limit, and sounds, played once.

    Parameters
    ----------
    settings : Settings
    trial : Trial
    stimulus_ms : float
        How long this trial shows its stimulus; 0: until the answer.
    """
    return trial.has_sounds or (get_task_kind(settings.kind).is_in_turn and stimulus_ms > 0)


def may_show(most: int | None, brief: bool, before: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a trial may be shown, given what was said of it before.

    Parameters
    ----------
    most : int or None
        ``presentations_max`` of the settings.
    brief : bool
        As :func:`is_brief` says; what stays on the screen until the answer may be shown again.
    before : sequence of mapping
        What was kept of each time the page came to the trial: ``shown`` among it.

    >>> may_show(1, True, []), may_show(1, True, [{"shown": True}]), may_show(2, True, [{"shown": True}])
    (True, False, True)
    >>> may_show(1, False, [{"shown": True}]), may_show(None, True, [{"shown": True}] * 9)
    (True, True)
    """
    return most is None or not brief or count_shown(before) < most


def count_shown(before: Sequence[Mapping[str, Any]]) -> int:
    """How often a trial was shown."""
    return sum(1 for each in before if each["shown"])


def announce_trial(
    experiment: Experiment, position: Position, phase: int, number: int, key: int, stimulus_ms: float, at: float
) -> Event:
    """The event of a page that is about to show a trial; ``shown`` says whether it may.

    Parameters
    ----------
    phase : int
        The practice block, 0 for the main trials.
    number : int
        Position as presented, from 1.
    key : int
        The page's own number for this time: the same announcement sent again is the same one.
    stimulus_ms : float
        Of this trial.
    at : float
        Seconds since 1970.
    """
    trial = find_trial(experiment, position, phase, position.list_trials(phase)[number - 1][0])
    before = position.list_noted(PRESENTED, phase, number)
    brief = is_brief(experiment.settings, trial, stimulus_ms)
    shown = may_show(experiment.settings.presentations_max, brief, before)
    return Event(at, PRESENTED, position.step, {"block": phase, "trial": number, "key": key, "shown": shown})
