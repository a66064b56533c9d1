"""What ends a step, what an answer means and brings about: on the server, and in files from pages without one."""

from __future__ import annotations

from typing import Any

from beholder.experiments._experiment import Experiment
from beholder.experiments._flow import follow, judge_block, judge_step, list_steps
from beholder.experiments._position import Position, choose_level, find_trial
from beholder.experiments._requests import AnswerRequest
from beholder.responses import Answer, Event, score_response


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
    if answer.trial < len(position.list_trials(answer.block)):
        return []
    steps = list_steps(experiment, position.visit)
    if not answer.block:
        return [Event(answer.at, "answered_all", follow(steps, "trials"), {})]
    correct = [given.correct for given in position.list_given(answer.block)] + [answer.correct]
    passed = judge_block(experiment.settings, correct)
    more = answer.block < len(position.blocks)
    target = follow(steps, "practice") if passed else "practice" if more else "screened_out"
    n_correct = sum(1 for each in correct if each)
    data = {"block": answer.block, "passed": passed, "n_correct": n_correct, "n_trials": len(correct)}
    return [Event(answer.at, "practice_block", target, data)]
