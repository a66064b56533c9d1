"""Counterfactual: the one of two occluded copies of a picture that is more like the references."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from beholder.experiments.kinds import _2afc
from beholder.experiments.kinds._places import MARGIN, draw_references, measure_grid, shuffled
from beholder.experiments.settings._kinds import NetworkRule, TaskKind
from beholder.experiments.settings._settings import Settings
from beholder.responses import get_answer_form


def _make_preset() -> Settings:
    return _2afc.make_preset().replace(
        {
            "kind": "counterfactual",
            "running_score": False,
            "feedback": "practice",
            "instructions": ["units", "references", "occlusion", "confidence", "practice"],
            "practice.n_with_feedback": 4,
            "practice.n_obvious": 1,
            "practice.n_required": 4,
        }
    )


def _draw_places(files: Mapping[str, Any], n_references: int, rng: random.Random) -> dict[str, Any]:
    sides = shuffled(["min", "max"], rng)
    references = draw_references(files, "reference", n_references, rng)
    return {"base": "base", "left": sides[0], "right": sides[1], "references": references}


def _find_room(settings: Settings, width: int, height: int) -> float:
    columns, down = measure_grid(settings, height)
    return min((width - MARGIN - 48 - 4 * (columns - 1)) / (columns + 2), down, (height - 290) / 2)


KIND = TaskKind(
    name="counterfactual",
    form=get_answer_form("counterfactual"),
    page="counterfactual.js",
    preset="zimmermann-counterfactual",
    make_preset=_make_preset,
    load_planner=_2afc.load_planner,
    slots=("base", "min", "max", "references"),
    asked_slots=("min", "max"),
    asked_places=("left", "right"),
    draw_places=_draw_places,
    find_room=_find_room,
    network=NetworkRule("units", near="references"),
)
