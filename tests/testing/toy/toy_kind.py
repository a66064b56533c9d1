"""A kind of task from outside the package, which of two pictures is brighter: a record, and a folder with its page."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from beholder.experiments import ExperimentPlan, NetworkRule, PlannedTask, Settings, TaskKind, TaskPage
from beholder.responses import AnswerForm


def plan_brightness(
    sources: Sequence[Path | str],
    folder: Path | str = ".",
    *,
    n_trials: int | None = None,
    n_tasks: int | None = None,
    practice_source: Path | str | None = None,
    seed: int = 42,
    settings: Settings | None = None,
) -> ExperimentPlan:
    """Pairs ``dim_{k}.png`` and ``bright_{k}.png`` of one folder, all of them for everybody."""
    (source,) = map(Path, sources)
    place = Path(os.path.relpath(source, folder)).as_posix()
    settings = settings or _make_preset()
    trials = [
        {
            "stimuli": {slot: f"{place}/{slot}_{k}.png" for slot in ("dim", "bright")},
            "mode": "natural",
            "correct": "bright",
            "conditions": {"pair": k},
        }
        for k in range(n_trials or len(list(source.glob("dim_*.png"))))
    ]
    tasks = tuple(PlannedTask(i + 1, trials, [], trials) for i in range(n_tasks or 2))
    return ExperimentPlan("brighter", settings, "document", seed, tasks, (), Path(folder).resolve())


def _make_preset() -> Settings:
    return Settings(kind="brighter", feedback="never", presentations_max=1)


def _load_planner() -> Callable[..., ExperimentPlan]:
    return plan_brightness


def _draw_places(files: Mapping[str, Any], n_references: int, rng: random.Random) -> dict[str, Any]:
    left, right = rng.sample(["dim", "bright"], 2)
    return {"left": left, "right": right}


def _find_room(settings: Settings, width: int, height: int) -> float:
    return min(width / 2, height)


BRIGHTER = TaskKind(
    name="brighter",
    form=AnswerForm("choice", ("left", "right"), by_place=True, rows=("left", "right")),
    page=TaskPage(Path(__file__).parent / "brighter", "Brighter"),
    preset="brightness",
    make_preset=_make_preset,
    load_planner=_load_planner,
    slots=("dim", "bright"),
    asked_slots=("dim", "bright"),
    asked_places=("left", "right"),
    draw_places=_draw_places,
    find_room=_find_room,
    network=NetworkRule("distances", decide=lambda asked, measure, get_scale, rating_steps: "left"),
)
