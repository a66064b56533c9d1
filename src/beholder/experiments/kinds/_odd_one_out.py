"""Odd one out: the one of three stimuli that is least like the two others."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from beholder.experiments.kinds import _similarity
from beholder.experiments.kinds._places import MARGIN, measure_gap, shuffled
from beholder.experiments.settings._kinds import NetworkRule, TaskKind
from beholder.experiments.settings._settings import Exclusion, Practice, Settings
from beholder.responses import get_answer_form

_TRIPLET = ("a", "b", "c")


def _make_preset() -> Settings:
    return Settings(
        kind="odd_one_out",
        presentations_max=1,
        feedback="never",
        instructions=("odd_one_out", "practice"),
        practice=Practice(n_without=3, max_blocks=1),
        break_fractions=(0.25, 0.5, 0.75),
        disabled_ms=300,
        min_width=900,
        min_height=500,
        exclusion=Exclusion(catch_ratio_min=0.75, automation=True),
    )


def _draw_places(files: Mapping[str, Any], n_references: int, rng: random.Random) -> dict[str, Any]:
    return {"items": shuffled(list(_TRIPLET), rng)}


def _find_room(settings: Settings, width: int, height: int) -> float:
    return min((width - MARGIN - 2 * measure_gap(width) - 70) / 3, height - 225)


def _decide(
    asked: Sequence[Any], measure: Callable[[Any, Any], float], get_scale: Callable[[], Any], rating_steps: int
) -> int:
    """The one that is left when the two nearest are taken together."""
    return int(np.argmin([measure(asked[(k + 1) % 3], asked[(k + 2) % 3]) for k in range(3)]))


KIND = TaskKind(
    name="odd_one_out",
    form=get_answer_form("odd_one_out"),
    page="odd_one_out.js",
    preset="odd-one-out",
    make_preset=_make_preset,
    load_planner=_similarity.load_planner,
    slots=_TRIPLET,
    asked_slots=_TRIPLET,
    asked_places=("items",),
    draw_places=_draw_places,
    find_room=_find_room,
    network=NetworkRule("distances", decide=_decide),
)
