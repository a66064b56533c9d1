"""What a browser is told: places, timings and texts; never a condition, a name of a file, or what is right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from beholder.experiments.flow._addresses import AddressBook, TrialRef
from beholder.experiments.flow._experiment import Experiment, Trial
from beholder.experiments.flow._flow import ENDS, pick_code
from beholder.experiments.flow._position import Position, choose_level, find_trial, list_breaks
from beholder.experiments.flow._showing import is_brief
from beholder.experiments.settings._recruiters import describe_return, get_recruiter
from beholder.experiments.settings._settings import Settings
from beholder.experiments.settings._visits import find_next

_PUBLIC = (
    "background", "n_references_shown", "confidence_steps", "running_score", "choices", "rating_steps", "fixation_ms",
    "stimulus_ms", "gap_ms", "mask_ms", "presentations_max", "disabled_ms", "response_from_ms", "feedback",
    "feedback_delay_ms", "feedback_ms", "instructions", "break_fractions", "comment", "consent_version", "min_width",
    "min_height", "fullscreen", "phones", "size", "calibration", "viewing_distance_cm", "headphone_check",
    "headphone_trials", "headphone_required", "level_calibration", "recruiter",
)  # fmt: skip
_PUBLIC_PRACTICE = ("n_with_feedback", "n_without", "n_required", "max_blocks")
_TIMED = ("fixation_ms", "stimulus_ms", "gap_ms", "mask_ms", "disabled_ms", "response_from_ms", "feedback_delay_ms",
          "feedback_ms")  # fmt: skip
_SLOWED = ("fixation_ms", "stimulus_ms", "mask_ms")


def make_public_settings(settings: Settings) -> dict[str, Any]:
    """The settings that the pages need."""
    values = settings.to_dict()
    practice = {name: values["practice"][name] for name in _PUBLIC_PRACTICE}
    return {**{name: values[name] for name in _PUBLIC}, "practice": practice}


def make_greeting(experiment: Experiment) -> dict[str, Any]:
    """What a page has to know before anybody has begun: its texts, its ground, and how people are told apart."""
    settings = experiment.settings
    recruiter = get_recruiter(settings.recruiter)
    several = {"n_visits": settings.sessions.n} if settings.sessions.n > 1 else {}
    return {
        "texts": dict(settings.texts),
        "background": settings.background,
        "phones": settings.phones,
        "recruiter": recruiter.name,
        "identity": recruiter.identity or None,
        "parameters": list(recruiter.parameters),
        **several,
    }


def make_state(experiment: Experiment, position: Position, now: float) -> dict[str, Any]:
    """Where a participant stands, for the page to go on from; ``now``: seconds since 1970."""
    settings = experiment.settings
    state = {
        **_make_frame(experiment, position.step),
        "consent": _describe_consent(settings),
        "n_trials": len(position.main),
        "n_done": len(position.list_given(0)),
        "breaks": list_breaks(experiment, position),
        "practice": _make_practice(settings, position) if position.blocks else None,
        "checks": position.checks,
    }
    if settings.running_score and settings.feedback == "always":
        state["n_correct"] = sum(1 for each in position.list_given(0) if each.correct)
    if position.step in ENDS:
        recruiter = get_recruiter(settings.recruiter)
        code = pick_code(settings, position.step, position.visit)
        state |= describe_return(recruiter, code, position.parameters)
    if settings.sessions.n > 1:
        state |= describe_visit(settings, position, now)
    return state


def describe_visit(settings: Settings, position: Position, now: float) -> dict[str, Any]:
    """Which of a person's sessions it is, and when the next can be begun: ms since 1970, None where none follows.

    ``opens_in_ms`` is by the server's clock, since that of the page may be wrong.
    """
    told: dict[str, Any] = {"visit": position.visit, "n_visits": settings.sessions.n, "upcoming": None}
    window = find_next(settings.sessions, position.visit, position.answered_all)
    if window is not None:
        told["upcoming"] = {
            "visit": position.visit + 1,
            "state": window.find_state(now),
            "opens_at": round(1000 * window.opens),
            "opens_in_ms": max(0, math.ceil(1000 * (window.opens - now))),
            "closes_at": None if window.closes is None else round(1000 * window.closes),
        }
    return told


def make_withdrawn_state(experiment: Experiment, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The state of somebody of whom nothing is known any more but their link's ``parameters``, while they are here."""
    settings = experiment.settings
    back = describe_return(get_recruiter(settings.recruiter), pick_code(settings, "withdrawn"), parameters)
    return {**_make_frame(experiment, "withdrawn"), **back}


def _make_frame(experiment: Experiment, step: str) -> dict[str, Any]:
    settings = experiment.settings
    return {
        "step": step,
        "kind": experiment.kind,
        "settings": make_public_settings(settings),
        "texts": dict(settings.texts),
    }


def _describe_consent(settings: Settings) -> dict[str, Any]:
    """The text's version, and what a server adds to it: that recruited people stay known, or a link of one's own."""
    recruited = bool(get_recruiter(settings.recruiter).identity)
    return {"version": settings.consent_version, "recruited": recruited, "own_link": not recruited}


def _make_practice(settings: Settings, position: Position) -> dict[str, Any]:
    n_done = len(position.list_given(position.block))
    return {
        "block": position.block,
        "n_blocks_left": len(position.blocks) - position.block,
        "n_trials": len(position.list_trials(position.block)),
        "n_done": n_done,
        "with_feedback": gives_feedback(settings, position.block, n_done + 1),
    }


def gives_feedback(settings: Settings, phase: int, number: int) -> bool:
    """Whether a trial tells if the answer was right.

    Parameters
    ----------
    phase : int
        The practice block, 0 for the main trials.
    number : int
        Position as presented, from 1.
    """
    if phase == 0:
        return settings.feedback == "always"
    return settings.feedback != "never" and number <= settings.practice.n_with_feedback


def make_timing(settings: Settings, position: Position, phase: int, number: int) -> dict[str, Any]:
    """The times of one trial; the first ones that a participant sees may be slower."""
    timing: dict[str, Any] = {name: getattr(settings, name) for name in _TIMED}
    seen_before = sum(len(block) for block in (position.blocks[: phase - 1] if phase else position.blocks[:1]))
    if seen_before + number <= settings.slow_n:
        timing |= {name: getattr(settings, f"slow_{name}") for name in _SLOWED}
    timing["feedback"] = gives_feedback(settings, phase, number)
    return timing


def list_payloads(
    experiment: Experiment, position: Position, book: AddressBook, start: int, count: int
) -> list[dict[str, Any]]:
    """Trials of the running phase, for the page to load ahead.

    Parameters
    ----------
    start, count : int
        The first position, from 1, and how many at most. The list ends before the first trial whose level depends on
        an answer that is not given yet.
    """
    phase = position.phase
    rows = position.list_trials(phase)
    payloads = []
    for number in range(start, min(start + count, len(rows) + 1)):
        known, level = choose_level(experiment, position, phase, number)
        if not known:
            break
        n, shown = rows[number - 1]
        trial = find_trial(experiment, position, phase, n)
        task = 0 if phase else position.task
        timing = make_timing(experiment.settings, position, phase, number)
        payload: dict[str, Any] = {
            "id": book.encrypt(TrialRef("trial", position.session, phase, number)),
            "n": number,
            "phase": "practice" if phase else "main",
            "kind": experiment.kind,
            "stimuli": _make_stimuli(trial, shown, level, TrialRef("stimulus", position.session, task, n), book),
            "timing": timing,
            "brief": is_brief(experiment.settings, trial, timing["stimulus_ms"]),
        }
        payloads.append(payload)
    return payloads


def find_slot(trial: Trial, slot: str, level: int | None) -> str:
    """The slot's file: at the level that is shown, where the slot has levels."""
    leveled = f"{slot}_level_{level}"
    return leveled if level is not None and leveled in trial.files else slot


def _make_stimuli(
    trial: Trial, shown: dict[str, Any], level: int | None, place: TrialRef, book: AddressBook
) -> dict[str, Any]:
    """Place on the screen to an address, or to a list of them."""
    numbers = {slot: k for k, slot in enumerate(sorted(trial.files))}

    def address(slot: str) -> str:
        number = numbers[find_slot(trial, slot, level)]
        return "s/" + book.encrypt(TrialRef(place.kind, place.session, place.task, place.n, number))

    return {
        where: [address(slot) for slot in what] if isinstance(what, list | tuple) else address(what)
        for where, what in shown.items()
    }
