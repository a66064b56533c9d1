"""Making the visualisations of one group of units, and committing their files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from beholder._core.files import to_path_name, write_bytes
from beholder.activations import use_exact_math
from beholder.jobs import Finish, Shard
from beholder.models import Model, ModelWorker, Unit, run_eagerly
from beholder.synthesis.engine._loop import Recipe
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.engine._validate import make_example
from beholder.synthesis.gradients._before_rectifier import find_before_rectifier
from beholder.synthesis.gradients._network import Network, use_threads
from beholder.synthesis.visualizations._bench import Cancelled, Runner
from beholder.synthesis.visualizations._files import FOLDER, make_unit_files, summarize_side
from beholder.synthesis.visualizations._group import UnitVisualization, VisualizationSpec, visualize_units
from beholder.synthesis.visualizations._standing import NaturalDistribution


def read_units(shard: Shard) -> list[Unit]:
    """The units of a shard."""
    return [Unit(layer, channel) for layer, channel in shard.payload["units"]]


@dataclass
class UnitWorker(ModelWorker):
    """Makes and writes the visualisations of groups of units.

    Parameters
    ----------
    output : path
        The model's folder.
    model : Model
        Reaches worker processes as it is in memory.
    device : str
    recipe : Recipe
    wish : VisualizationSpec
    naturals : mapping of Unit to Natural or None
    layer_sets : tuple of tuple of str
        The layers of each group.
    batch_size : int or None
        As for :class:`Runner`.
    intra_threads, n_concurrent_batches : int
        Threads in an operation, batches side by side.
    channels_last : bool
        Lay convolution weights out channels-last.
    described : mapping
        What stands in the column ``settings`` of every manifest.
    """

    output: Path
    model: Model
    device: str
    recipe: Recipe
    spec: VisualizationSpec
    naturals: Mapping[Unit, NaturalDistribution | None]
    layer_sets: tuple[tuple[str, ...], ...]
    batch_size: int | None
    intra_threads: int
    n_concurrent_batches: int
    channels_last: bool
    described: Mapping[str, Any]
    lookahead: int = field(default=0, init=False)

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Load the model, put the hooks on, start the lanes."""
        model = self.model
        n_concurrent_batches = max(1, self.n_concurrent_batches // n_workers)
        self.lookahead = n_concurrent_batches if n_concurrent_batches > 1 else 0
        layers = tuple(dict.fromkeys(name for names in self.layer_sets for name in names))
        form = StimulusFormat.of_model(model, self.recipe.input_shape)
        with (
            run_eagerly(),
            use_exact_math("fp32"),
            use_threads(self.intra_threads) if model.device.type == "cpu" else contextlib.nullcontext(),
            Network(
                model, layers, make_example(model, self.recipe.input_shape), channels_last=self.channels_last
            ) as network,
            ThreadPoolExecutor(n_concurrent_batches + 1, thread_name_prefix="beholder-group") as groups,
            Runner(network, self.recipe, form, self.batch_size, n_concurrent_batches) as runner,
        ):
            for names in (*self.layer_sets, *((name,) for name in layers)):
                network.open(names)
            session = _Session(self, model, network, runner, form)

            def start(shard: Shard) -> Finish:
                future = groups.submit(session.make, shard)

                def finish() -> tuple[dict[str, int], dict[str, Any]]:
                    try:
                        sides = future.result()
                    except Cancelled as error:
                        raise runner.explain(error) from None
                    return session.write(shard, sides)

                return finish

            try:
                yield start
            finally:
                runner.cancel()
                groups.shutdown(wait=True, cancel_futures=True)


@dataclass
class _Session:
    """A ready worker."""

    worker: UnitWorker
    model: Model
    network: Network
    runner: Runner
    form: StimulusFormat

    def make(self, shard: Shard) -> list[tuple[UnitVisualization, Unit | None]]:
        """The sides of a shard's units; with each that is tied at a floor, the value before its rectifier."""
        worker, units = self.worker, read_units(shard)
        recipe = worker.recipe
        low, high = recipe.value_range or (0.0, 0.0)
        blank = torch.full(recipe.input_shape, (low + high) / 2)
        try:
            sides = visualize_units(self.runner, units, worker.naturals, worker.spec, blank)
            return [(side, self._look_before(side, sides)) for side in sides]
        except BaseException as error:
            self.runner.cancel(error)
            raise

    def _look_before(self, side: UnitVisualization, sides: list[UnitVisualization]) -> Unit | None:
        """Only where a unit rests at 0 whatever it is shown."""
        if float(side.activations[-1]) != 0 or side.sign != "min":
            return None
        (most,) = [other for other in sides if other.unit == side.unit and other.sign == "max"]
        images = torch.from_numpy(np.stack([most.images[-1], side.images[-1]])).to(self.model.device)
        return find_before_rectifier(self.model, self.network, side.unit, images)

    def write(
        self, shard: Shard, sides: list[tuple[UnitVisualization, Unit | None]]
    ) -> tuple[dict[str, int], dict[str, Any]]:
        """Write the files of each unit, its manifest last."""
        worker, sizes, rows = self.worker, {}, []
        for unit in read_units(shard):
            natural = worker.naturals[unit]
            own = [(side, before) for side, before in sides if side.unit == unit]
            folder = f"{unit.path_name}/{FOLDER}"
            files = make_unit_files([side for side, _ in own], natural, self.form, worker.described, worker.spec.seed)
            for name, data in files:
                write_bytes(worker.output / folder / name, data)
                sizes[f"{folder}/{name}"] = len(data)
            has_recording = shard.payload["natural"] is not None
            rows += [summarize_side(side, natural, before, has_recording=has_recording) for side, before in own]
        facts: dict[str, Any] = {"rows": rows}
        if any(side.is_halved for side, _ in sides):
            facts["smaller_batches"] = True
        return sizes, facts


def make_shard_key(units: list[Unit]) -> str:
    """A group's name: that of its first unit, which is in no other group."""
    return f"{to_path_name(units[0].layer)}--{units[0].channel}"
