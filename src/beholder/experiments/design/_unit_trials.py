"""One planned trial about a unit: which folders or files it shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from beholder._core.errors import InputError
from beholder.experiments.design._plan import CATCH, PlannedTrial
from beholder.experiments.design._unit_folders import (
    COUNTERFACTUAL,
    NATURAL,
    OPTIMIZED,
    UnitFolder,
    describe_unit,
    find_stimulus,
    list_unit_files,
)

Images = Literal["natural", "optimized"]
QUERY = 9
"""Number of the query among a batch's pictures."""


def make_trial(kind: str, unit: UnitFolder, batch: int, images: Images, folder: Path) -> PlannedTrial:
    """A main trial: natural queries; natural references of the same batch, or visualisations."""
    if kind == "counterfactual":
        return _make_counterfactual(unit, batch, images, folder, images)
    queries = unit.get_batch(batch)
    references = queries if images == "natural" else unit.optimized
    return {"queries": relate(queries, folder), "references": relate(references, folder), "mode": images}


def make_catch_trial(kind: str, unit: UnitFolder, images: Images, scheme: str, folder: Path) -> PlannedTrial:
    """A catch trial: queries that lie among the references (document), or those of an easy unit (released).

    Counterfactual: of the two pictures one is not occluded at all.
    """
    if kind == "counterfactual":
        return _make_counterfactual(unit, 0, images, folder, CATCH)
    shown = unit.get_batch(0) if images == "natural" else unit.optimized
    queries = shown
    if scheme == "released":
        queries = unit.get_batch(0) if unit.batches else unit.path / NATURAL
        shown = queries if images == "natural" else unit.optimized
    return {"queries": relate(queries, folder), "references": relate(shown, folder), "mode": CATCH}


def make_practice_trial(kind: str, unit: UnitFolder, images: Images, obvious: bool, folder: Path) -> PlannedTrial:
    """A trial for practice: an obvious one is made as a catch trial, the others as main trials, of batch 0."""
    if obvious:
        return make_catch_trial(kind, unit, images, "document", folder)
    return make_trial(kind, unit, 0, images, folder)


def _make_counterfactual(unit: UnitFolder, batch: int, images: Images, folder: Path, mode: str) -> PlannedTrial:
    place = unit.path / COUNTERFACTUAL / f"batch_{batch}"
    base, low, high = (find_stimulus(place, name) for name in ("base", "min", "max"))
    source = unit.get_batch(batch) if images == "natural" else unit.optimized
    strong = {k: path for k, path in list_unit_files(source)["max"].items() if k < QUERY}
    if not strong:
        raise InputError("references max_0 to max_8", got=f"none in {source}")
    about = describe_unit(unit.get_batch(batch))
    keys = ("model", "layer", "channel", "batch")
    unit_key: dict[str, Any] | None = dict(zip(keys, about, strict=True)) if about else None
    shown = {"base": base, "min": low, "max": base if mode == CATCH else high}
    return {
        "stimuli": {
            **{slot: relate(path, folder) for slot, path in shown.items()},
            "references": [relate(strong[k], folder) for k in sorted(strong)],
        },
        "mode": mode,
        "correct": "max",
        "unit": unit_key,
        "conditions": {"images": "natural" if source.name != OPTIMIZED else "optimized"},
    }


def relate(path: Path, folder: Path) -> str:
    """The path from the plan's folder, which is resolved, with forward slashes."""
    return os.path.relpath(path, folder).replace(os.sep, "/")
