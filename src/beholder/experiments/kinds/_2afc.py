"""Two-alternative choice: the one of two queries that belongs to the references on the right."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from beholder.experiments.kinds._places import MARGIN, draw_references, measure_grid, shuffled
from beholder.experiments.settings._kinds import NetworkRule, TaskKind
from beholder.experiments.settings._settings import Exclusion, Practice, Settings
from beholder.responses import get_answer_form


def make_preset() -> Settings:
    """Timings, counts and rules of Zimmermann, Klein & Brendel (2023)."""
    return Settings(
        kind="2afc",
        background="#747474",
        n_references_shown=9,
        confidence_steps=3,
        running_score=True,
        disabled_ms=1500,
        feedback="always",
        feedback_delay_ms=350,
        feedback_ms=1150,
        instructions=("units", "references", "queries", "confidence", "feedback", "practice"),
        practice=Practice(n_with_feedback=5, n_obvious=4, n_required=5, max_blocks=5),
        shuffle_trials=False,
        min_width=940,
        min_height=600,
        fullscreen=True,
        exclusion=Exclusion(
            catch_ratio_min=0.8,
            time_s_min=135.0,
            time_s_max=2500.0,
            instructions_s_min=15.0,
            row_choices_min=5,
            practice_blocks_max=3,
        ),
    )


def load_planner() -> Callable[..., Any]:
    """Units shown equally often; also the counterfactual variant."""
    from beholder.experiments.design._plan_choice import plan_choice

    return plan_choice


def _draw_places(files: Mapping[str, Any], n_references: int, rng: random.Random) -> dict[str, Any]:
    queries = shuffled(["query_min", "query_max"], rng)
    return {
        "upper": queries[0], "lower": queries[1],
        "left": draw_references(files, "reference_min", n_references, rng),
        "right": draw_references(files, "reference_max", n_references, rng),
    }  # fmt: skip


def _find_room(settings: Settings, width: int, height: int) -> float:
    columns, down = measure_grid(settings, height)
    across, other = width - MARGIN, 56 + 8 * (columns - 1)
    side = (across - other) / (2 * columns + 1)
    if side < 144:
        side = (across - other - 144) / (2 * columns)
    return min(side, down, (height - 294) / 2)


KIND = TaskKind(
    name="2afc",
    form=get_answer_form("2afc"),
    page="two_choice.js",
    preset="zimmermann-2afc",
    make_preset=make_preset,
    load_planner=load_planner,
    slots=("query_min", "query_max", "references"),
    asked_slots=("query_min", "query_max"),
    asked_places=("upper", "lower"),
    draw_places=_draw_places,
    find_room=_find_room,
    network=NetworkRule("units", near="right", far="left"),
    unit_folders=True,
)
