"""Similarity: how alike two stimuli are, on a scale of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from beholder.experiments.kinds._places import MARGIN, draw_pair, measure_gap
from beholder.experiments.settings._kinds import NetworkRule, TaskKind
from beholder.experiments.settings._settings import Exclusion, Practice, Settings
from beholder.responses import get_answer_form

_PLACES, _PAIR = ("left", "right"), ("a", "b")


def _make_preset() -> Settings:
    return Settings(
        kind="similarity",
        presentations_max=1,
        rating_steps=7,
        feedback="never",
        instructions=("similarity", "practice"),
        practice=Practice(n_without=5, max_blocks=1),
        break_fractions=(0.25, 0.5, 0.75),
        disabled_ms=300,
        min_width=700,
        min_height=500,
        exclusion=Exclusion(catch_ratio_min=0.75, automation=True),
    )


def load_planner() -> Callable[..., Any]:
    """Pairs or, of odd one out, triplets of stimuli."""
    from beholder.experiments.design._plan_similarity import plan_similarity

    return plan_similarity


def _find_room(settings: Settings, width: int, height: int) -> float:
    return min((width - MARGIN - measure_gap(width)) / 2, height - 227)


def _decide(
    asked: Sequence[Any], measure: Callable[[Any, Any], float], get_scale: Callable[[], Any], rating_steps: int
) -> int:
    """The rating whose proportion of all pairs is as near."""
    distance, scale = measure(*asked), get_scale()
    nearer = (np.searchsorted(scale, distance, "left") + np.searchsorted(scale, distance, "right")) / 2 / len(scale)
    return rating_steps - min(int(nearer * rating_steps), rating_steps - 1)


KIND = TaskKind(
    name="similarity",
    form=get_answer_form("similarity"),
    page="similarity.js",
    preset="similarity",
    make_preset=_make_preset,
    load_planner=load_planner,
    slots=_PAIR,
    asked_slots=_PAIR,
    asked_places=_PLACES,
    draw_places=draw_pair(_PLACES, _PAIR),
    find_room=_find_room,
    network=NetworkRule("distances", decide=_decide),
)
