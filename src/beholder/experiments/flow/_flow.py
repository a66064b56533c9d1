"""Which step follows which: the whole course of an experiment as pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beholder.experiments.flow._experiment import Experiment
from beholder.experiments.flow._presentation import count_blocks
from beholder.experiments.settings._settings import Settings

ENDS = ("done", "screened_out", "declined", "withdrawn")
"""Steps from which nobody goes on."""

SENT_STEPS = ("consent", "instructions", "checks", "comment", "debrief")
"""Steps that end with something the page sends; the others end with their last trial."""


def list_steps(experiment: Experiment, visit: int = 1) -> tuple[str, ...]:
    """The steps of one session in their order, ``done`` last; what it was about is told after a person's last one."""
    settings = experiment.settings
    last = visit >= settings.sessions.n
    asked = {"practice": count_blocks(experiment) > 0, "comment": settings.comment, "debrief": last}
    steps = ("consent", "instructions", "checks", "practice", "trials", "comment", "debrief", "done")
    return tuple(step for step in steps if asked.get(step, True))


def follow(steps: tuple[str, ...], step: str) -> str:
    """The step after one.

    >>> follow(("consent", "trials", "done"), "consent")
    'trials'
    """
    return steps[steps.index(step) + 1]


def judge_step(settings: Settings, step: str, data: dict[str, Any]) -> str | None:
    """Where what the page sent leads, if not to the next step: ``declined`` or ``screened_out``."""
    if step == "consent" and not data["agreed"]:
        return "declined"
    if step == "checks" and settings.headphone_check and data["headphones"]["n_correct"] < settings.headphone_required:
        return "screened_out"
    return None


def judge_block(settings: Settings, correct: Sequence[bool | None], skipped: Sequence[bool] = ()) -> bool:
    """Whether a practice block, given which of its answers were right, lets a participant go on.

    Of counted trials that could not be shown (``skipped``) no right answer is asked.

    >>> from beholder.experiments import make_settings
    >>> pictures = make_settings("feather-pictures")  # 16 with feedback, then 12 of which 7 must be right
    >>> judge_block(pictures, [False] * 16 + [True] * 7 + [False] * 5)
    True
    >>> judge_block(pictures, [True] * 16 + [True] * 6 + [False] * 6)
    False
    """
    practice = settings.practice
    first = practice.n_with_feedback if practice.n_without else 0
    return sum(1 for each in correct[first:] if each) >= practice.n_required - sum(skipped[first:])


def find_breaks(settings: Settings, n_trials: int) -> list[int]:
    """After how many main trials a break is offered.

    >>> from beholder.experiments import make_settings
    >>> find_breaks(make_settings("feather-pictures"), 416)
    [104, 208, 312]
    """
    places = {round(n_trials * proportion) for proportion in settings.break_fractions}
    return sorted(place for place in places if 0 < place < n_trials)


def pick_code(settings: Settings, step: str, visit: int = 1) -> str:
    """The code that an end of a session gives."""
    own = settings.sessions.completion_codes
    done = own[visit - 1] if own else settings.completion_code
    codes = {"done": done, "screened_out": settings.screen_out_code}
    return codes.get(step, settings.no_consent_code)
