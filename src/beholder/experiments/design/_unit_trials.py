"""One planned trial about a unit: which folders or files it shows."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal, final

from beholder._core.errors import InputError
from beholder.experiments.design._plan import CATCH, PlannedTrial
from beholder.experiments.design._unit_folders import (
    COUNTERFACTUAL,
    NATURAL,
    OPTIMIZED,
    QUERY,
    UnitFolder,
    describe_unit,
    find_stimulus,
    list_unit_files,
)
from beholder.experiments.settings._kinds import TaskKind

Images = Literal["natural", "optimized"]


class UnitTrials(ABC):
    """What trials about a unit show, by the slots of their kind of task."""

    @property
    @abstractmethod
    def folders(self) -> tuple[str, ...]:
        """Folders of a unit that they need, besides those of its exemplars and visualisations."""

    @property
    @abstractmethod
    def has_queries(self) -> bool:
        """Whether participants choose between a batch's two natural queries."""

    @abstractmethod
    def make_main(self, unit: UnitFolder, batch: int, images: Images, folder: Path) -> PlannedTrial:
        """A main trial of a batch of natural exemplars; ``images`` says what its references are."""

    @abstractmethod
    def make_catch(self, unit: UnitFolder, images: Images, scheme: str, folder: Path) -> PlannedTrial:
        """A trial that is easy to get right."""

    def make_practice(self, unit: UnitFolder, images: Images, obvious: bool, folder: Path) -> PlannedTrial:
        """A trial for practice, of batch 0: an obvious one is made as a catch trial, the others as main trials."""
        if obvious:
            return self.make_catch(unit, images, "document", folder)
        return self.make_main(unit, 0, images, folder)


@final
class QueryTrials(UnitTrials):
    """Natural queries; natural references of the same batch, or visualisations: folders, of which the build picks."""

    @property
    def folders(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def has_queries(self) -> bool:
        """Yes."""
        return True

    def make_main(self, unit: UnitFolder, batch: int, images: Images, folder: Path) -> PlannedTrial:
        """Queries and references of one batch."""
        queries = unit.get_batch(batch)
        references = queries if images == "natural" else unit.optimized
        return {"queries": relate(queries, folder), "references": relate(references, folder), "mode": images}

    def make_catch(self, unit: UnitFolder, images: Images, scheme: str, folder: Path) -> PlannedTrial:
        """Queries that lie among the references (document), or those of an easy unit (released)."""
        shown = unit.get_batch(0) if images == "natural" else unit.optimized
        queries = shown
        if scheme == "released":
            queries = unit.get_batch(0) if unit.batches else unit.path / NATURAL
            shown = queries if images == "natural" else unit.optimized
        return {"queries": relate(queries, folder), "references": relate(shown, folder), "mode": CATCH}


@final
class OccludedTrials(UnitTrials):
    """A picture and two copies of it, occluded where it drives the unit most and least, beside references."""

    @property
    def folders(self) -> tuple[str, ...]:
        """Those of pictures with occluded copies."""
        return (COUNTERFACTUAL,)

    @property
    def has_queries(self) -> bool:
        """No: copies of one picture."""
        return False

    def make_main(self, unit: UnitFolder, batch: int, images: Images, folder: Path) -> PlannedTrial:
        """The picture of one batch."""
        return self._make(unit, batch, images, folder, images)

    def make_catch(self, unit: UnitFolder, images: Images, scheme: str, folder: Path) -> PlannedTrial:
        """Of the two copies one is not occluded at all."""
        return self._make(unit, 0, images, folder, CATCH)

    def _make(self, unit: UnitFolder, batch: int, images: Images, folder: Path, mode: str) -> PlannedTrial:
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


def find_unit_trials(kind: TaskKind) -> UnitTrials:
    """The trials of a kind of task about units: whether they name folders, says its record."""
    return QueryTrials() if kind.unit_folders else OccludedTrials()


def relate(path: Path, folder: Path) -> str:
    """The path from the plan's folder, which is resolved, with forward slashes."""
    return os.path.relpath(path, folder).replace(os.sep, "/")
