"""Making the visualisations of one group of units, and committing their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from beholder._core.files import write_bytes
from beholder.jobs import Shard
from beholder.models import Unit
from beholder.synthesis.engine._loop import Recipe
from beholder.synthesis.engine._session import Made, SessionWorker, SynthesisSession
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.gradients._before_rectifier import find_before_rectifier
from beholder.synthesis.objectives._of_units import USUAL
from beholder.synthesis.visualizations._files import FOLDER, make_unit_files, summarize_side
from beholder.synthesis.visualizations._group import count_most_steps, visualize_units
from beholder.synthesis.visualizations._plan import VisualizationOptions
from beholder.synthesis.visualizations._side import UnitVisualization
from beholder.synthesis.visualizations._standing import NaturalDistribution


@dataclass
class UnitWorker(SessionWorker):
    """Makes and writes the visualisations of groups of units.

    Parameters
    ----------
    output : path
        The model's folder.
    recipe : Recipe
    options : VisualizationOptions
    naturals : mapping of Unit to NaturalDistribution or None
        Of every unit.
    """

    output: Path
    recipe: Recipe
    options: VisualizationOptions
    naturals: Mapping[Unit, NaturalDistribution | None]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.may_end_early = self.options.diversity is None

    def list_layers(self) -> list[str]:
        """Those of the units."""
        return list(dict.fromkeys(unit.layer for unit in self.naturals))

    def prepare(self, session: SynthesisSession) -> Callable[[Shard], Made]:
        """As :class:`SessionWorker` has it."""
        return partial(self._make_shard, session)

    def _make_shard(self, session: SynthesisSession, shard: Shard) -> Made:
        """Make the images, then write the files of each unit, its manifest last."""
        units = [Unit(layer, channel) for layer, channel in shard.payload["units"]]
        options, batch_size = self.options, self.settings["batch_size"]
        advance = self.count_steps(shard, count_most_steps(len(units), options))
        sides = visualize_units(session, units, self.naturals, self.recipe, options, batch_size, advance)
        before = [_look_before(session, side, sides) for side in sides]
        form = StimulusFormat.of_model(self.model, self.shape)
        described = {"parameterization": type(self.recipe.parameterization).__name__, "n_images": options.n_images}
        if options.objective != USUAL:
            described["objective"] = options.objective
        has_recording = shard.payload["natural"] is not None
        sizes, rows = {}, []
        for unit in units:
            natural, folder = self.naturals[unit], f"{unit.path_name}/{FOLDER}"
            own = [(side, place) for side, place in zip(sides, before, strict=True) if side.unit == unit]
            for name, data in make_unit_files([side for side, _ in own], natural, form, described, options.seed):
                write_bytes(self.output / folder / name, data)
                sizes[f"{folder}/{name}"] = len(data)
            rows += [summarize_side(side, natural, place, has_recording=has_recording) for side, place in own]
        facts: dict[str, Any] = {"rows": rows}
        if any(side.is_halved for side in sides):
            facts["smaller_batches"] = True
        return sizes, facts


def _look_before(session: SynthesisSession, side: UnitVisualization, sides: list[UnitVisualization]) -> Unit | None:
    """The value before a unit's rectifier, only where the unit rests at 0 whatever it is shown."""
    if float(side.activations[-1]) != 0 or side.sign != "min":
        return None
    (most,) = [other for other in sides if other.unit == side.unit and other.sign == "max"]
    images = torch.from_numpy(np.stack([most.images[-1], side.images[-1]])).to(session.network.device)
    return find_before_rectifier(session.model, session.network, side.unit, images)
