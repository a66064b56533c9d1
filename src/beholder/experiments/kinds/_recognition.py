"""Recognition: the category that a picture belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beholder.experiments.kinds._places import MARGIN, draw_stimulus, fill_window
from beholder.experiments.settings._kinds import NetworkRule, TaskKind
from beholder.experiments.settings._settings import Exclusion, Practice, Settings
from beholder.responses import get_answer_form


def _make_preset() -> Settings:
    from beholder.stimuli import load_categories

    return Settings(
        kind="recognition",
        presentations_max=1,
        choices=tuple(load_categories()),
        fixation_ms=300,
        stimulus_ms=300,
        mask_ms=300,
        slow_n=8,
        slow_fixation_ms=500,
        slow_stimulus_ms=400,
        slow_mask_ms=400,
        feedback="practice",
        feedback_ms=1000,
        instructions=("pictures", "icons", "practice"),
        practice=Practice(n_with_feedback=16, n_without=12, n_required=7, max_blocks=1),
        break_fractions=(0.25, 0.5, 0.75),
        min_width=800,
        min_height=600,
        fullscreen=True,
        exclusion=Exclusion(catch_ratio_min=15 / 16),
    )


def load_planner() -> Callable[..., Any]:
    """Labelled stimuli, conditions spread evenly over participants; also of words in sounds."""
    from beholder.experiments.design._plan_recognition import plan_recognition

    return plan_recognition


def _find_room(settings: Settings, width: int, height: int) -> float:
    if settings.stimulus_ms > 0:
        return fill_window(settings, width, height)
    return min(width - MARGIN, height - 345)


KIND = TaskKind(
    name="recognition",
    form=get_answer_form("recognition"),
    page="recognition.js",
    preset="feather-pictures",
    make_preset=_make_preset,
    load_planner=load_planner,
    slots=("stimulus",),
    asked_slots=("stimulus",),
    asked_places=("stimulus",),
    draw_places=draw_stimulus,
    find_room=_find_room,
    network=NetworkRule("names"),
    modality="pictures",
    is_in_turn=True,
    is_timed_from_stimulus=True,
)
