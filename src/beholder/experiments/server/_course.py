"""What ends a step, what an answer means and brings about: on the server, and in files from pages without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beholder.experiments.flow._experiment import Experiment
from beholder.experiments.flow._flow import follow, judge_block, judge_step, list_steps
from beholder.experiments.flow._position import Position, SavedAnswer, choose_level, find_trial
from beholder.experiments.server._requests import AnswerRequest
from beholder.responses import SKIPPED, Answer, Event, score_response


def end_step(experiment: Experiment, step: str, data: dict[str, Any], at: float, visit: int = 1) -> Event:
    """The end of a step of the page's own, and where it leads; ``at``: seconds since 1970."""
    target = judge_step(experiment.settings, step, data) or follow(list_steps(experiment, visit), step)
    return Event(at, step, target, data)


def score_answer(
    experiment: Experiment, position: Position, phase: int, trial_number: int, sent: AnswerRequest, at: float
) -> Answer:
    """An answer as it is kept.

    Parameters
    ----------
    phase : int
        The practice block, 0 for the main trials.
    trial_number : int
        Position as presented, from 1.
    at : float
        Seconds since 1970.
    """
    n, shown = position.list_trials(phase)[trial_number - 1]
    _, level = choose_level(experiment, position, phase, trial_number)
    correct = find_trial(experiment, position, phase, n).correct
    score = score_response(experiment.kind, sent.response, shown, correct)
    return Answer(
        trial_number, n, at, sent.response, score.choice, score.correct, score.confidence, level, sent.rt_ms,
        sent.details, sent.digest, phase,
    )  # fmt: skip


def list_consequences(experiment: Experiment, position: Position, answer: Answer) -> list[Event]:
    """What an answer brings about, before it is taken in: nothing, or the end of a block or of all trials."""
    given = SavedAnswer(answer.body, answer.n, answer.correct, answer.level)
    return _end_phase(experiment, position, answer.block, given, answer.at)


def skip_trial(
    experiment: Experiment, position: Position, phase: int, number: int, failure: Mapping[str, Any], at: float
) -> list[Event]:
    """That a trial is gone on without, and what it brings about, before it is taken in.

    Parameters
    ----------
    phase : int
        The practice block, 0 for the main trials.
    number : int
        Position as presented, from 1.
    failure : mapping
        What was said last of its stimuli: ``reason`` and ``slots``.
    at : float
        Seconds since 1970.
    """
    n, _ = position.list_trials(phase)[number - 1]
    about = {name: failure[name] for name in ("reason", "slots")}
    event = Event(at, SKIPPED, position.step, {"block": phase, "trial": number, "n": n, **about})
    given = SavedAnswer(b"", n, None, None, is_skipped=True)
    return [event, *_end_phase(experiment, position, phase, given, at)]


def _end_phase(experiment: Experiment, position: Position, phase: int, last: SavedAnswer, at: float) -> list[Event]:
    """The end of a practice block or of all trials, where this was its last one."""
    given = [*position.list_given(phase), last]
    if len(given) < len(position.list_trials(phase)):
        return []
    steps = list_steps(experiment, position.visit)
    if not phase:
        return [Event(at, "answered_all", follow(steps, "trials"), {})]
    passed = judge_block(experiment.settings, [each.correct for each in given], [each.is_skipped for each in given])
    more = phase < len(position.blocks)
    target = follow(steps, "practice") if passed else "practice" if more else "screened_out"
    n_correct = sum(1 for each in given if each.correct)
    n_trials = sum(1 for each in given if not each.is_skipped)
    data = {"block": phase, "passed": passed, "n_correct": n_correct, "n_trials": n_trials}
    return [Event(at, "practice_block", target, data)]
