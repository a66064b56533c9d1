"""Same or different: two stimuli, in turn or side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from beholder.experiments.kinds._places import MARGIN, draw_pair, fill_window, measure_gap
from beholder.experiments.settings._kinds import NetworkRule, TaskKind
from beholder.experiments.settings._settings import Exclusion, Practice, Settings
from beholder.responses import get_answer_form

_PAIR = ("first", "second")


def _make_preset() -> Settings:
    return Settings(
        kind="same_different",
        presentations_max=1,
        fixation_ms=500,
        stimulus_ms=500,
        gap_ms=500,
        feedback="practice",
        feedback_ms=1000,
        instructions=("pairs", "practice"),
        practice=Practice(n_with_feedback=8, n_obvious=8, n_required=6, max_blocks=3),
        break_fractions=(0.25, 0.5, 0.75),
        min_width=800,
        min_height=600,
        fullscreen=True,
        exclusion=Exclusion(catch_ratio_min=0.75, automation=True),
    )


def _load_planner() -> Callable[..., Any]:
    from beholder.experiments.design._plan_pairs import plan_pairs

    return plan_pairs


def _find_room(settings: Settings, width: int, height: int) -> float:
    if settings.stimulus_ms > 0:
        return fill_window(settings, width, height)
    return min((width - MARGIN - measure_gap(width)) / 2, height - 239)


def _decide(
    asked: Sequence[Any], measure: Callable[[Any, Any], float], get_scale: Callable[[], Any], rating_steps: int
) -> str:
    """Same where the distance is below the median of all pairs."""
    distance, scale = measure(*asked), get_scale()
    return "same" if distance == 0 or distance < float(np.median(scale)) else "different"


KIND = TaskKind(
    name="same_different",
    form=get_answer_form("same_different"),
    page="same_different.js",
    preset="same-different",
    make_preset=_make_preset,
    load_planner=_load_planner,
    slots=_PAIR,
    asked_slots=_PAIR,
    asked_places=_PAIR,
    draw_places=draw_pair(_PAIR, _PAIR),
    find_room=_find_room,
    network=NetworkRule("distances", decide=_decide),
    is_in_turn=True,
)
