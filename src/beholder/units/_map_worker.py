"""Mapping stimuli: each runs through the network once, and every unit that it belongs to gets a grey picture."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from PIL import Image

from beholder._core.errors import BeholderError, InputError
from beholder._core.files import write_bytes
from beholder.activations import ThreadTaps, parse_layer
from beholder.jobs import Finish, Shard
from beholder.models import Model, ModelWorker, StimulusAxis
from beholder.stimuli import UnitStimuli, UnitStimulus
from beholder.units._encode import decode_prepared
from beholder.units._map_grid import MapGrid
from beholder.units._threads import iter_results, open_threads

FOLDER = "activation_maps"
_TOLERANCE = 0.05


@final
@dataclass(frozen=True)
class MapRecipe:
    """How one unit is mapped.

    Attributes
    ----------
    unit : UnitStimuli
    grid : MapGrid
    place : StimulusAxis
        Where the layer keeps the stimuli.
    """

    unit: UnitStimuli
    grid: MapGrid
    place: StimulusAxis

    def find_file(self, one: UnitStimulus) -> Path:
        """Where the map of one of the unit's stimuli goes."""
        return self.unit.path / FOLDER / one.path.relative_to(self.unit.path).with_suffix(".png")


Wanted = tuple[MapRecipe, UnitStimulus]


@dataclass
class MapWorker(ModelWorker):
    """Maps chunks of stimuli.

    Parameters
    ----------
    output : path
        The model's folder.
    model : Model
        Reaches worker processes as it is in memory.
    device : str
    chunks : mapping of str to sequence of sequence of (MapRecipe, UnitStimulus)
        By shard: for each distinct stimulus, the maps that are made of it.
    cores : int
        Stimuli in flight on the CPU, shared by the workers; does not change a byte.
    """

    output: Path
    model: Model
    device: str
    chunks: Mapping[str, Sequence[Sequence[Wanted]]]
    cores: int
    lookahead: int = field(default=1, init=False)

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Load the model, start the threads."""
        with open_threads(self.model, self.device, self.cores // n_workers, "beholder-map") as (pool, taps):
            yield lambda shard: self._start(self.chunks[shard.key], pool, taps)

    def _start(self, chunk: Sequence[Sequence[Wanted]], pool: ThreadPoolExecutor, taps: ThreadTaps) -> Finish:
        layers = find_layers(chunk)
        futures = [pool.submit(self._map, taps, layers, wanted) for wanted in chunk]

        def finish() -> tuple[dict[str, int], dict[str, Any]]:
            sizes: dict[str, int] = {}
            bounds: dict[str, list[str]] = {}
            for made in iter_results(futures):
                for name, size, numbers in made:
                    sizes[name], bounds[name] = size, numbers
                self.report(len(made))
            return sizes, {"bounds": bounds}

        return finish

    def _map(
        self, taps: ThreadTaps, layers: tuple[str, ...], wanted: Sequence[Wanted]
    ) -> list[tuple[str, int, list[str]]]:
        """Write the maps of one stimulus: name, size, and lowest, highest and mean value of each."""
        made = []
        for (recipe, one), (values, mean) in zip(wanted, compute_maps(taps, layers, wanted), strict=True):
            check_mean(recipe.unit, one, mean)
            data, low, high = encode_map(values)
            path = recipe.find_file(one)
            write_bytes(path, data)
            numbers = [str(np.float32(number)) for number in (low, high, mean)]
            made.append((path.relative_to(self.output).as_posix(), len(data), numbers))
        return made


def find_layers(chunk: Sequence[Sequence[Wanted]]) -> tuple[str, ...]:
    """Layers that the units of a chunk lie in, each once."""
    return tuple(sorted({recipe.unit.layer for wanted in chunk for recipe, _ in wanted}))


def compute_maps(taps: ThreadTaps, layers: Sequence[str], wanted: Sequence[Wanted]) -> list[tuple[np.ndarray, float]]:
    """Maps of several units for the one stimulus that they share, run alone: what comes out depends on nothing else.

    Parameters
    ----------
    taps : ThreadTaps
        Of the model.
    layers : sequence of str
        The units' layers.
    wanted : sequence of (MapRecipe, UnitStimulus)

    Returns
    -------
    list of (map, mean)
        The map (n_rows, n_columns), float32; the mean over all positions and tokens, those without a place too,
        which is the unit's activation.
    """
    found: dict[int, tuple[np.ndarray, float]] = {}

    def keep(name: str, values: torch.Tensor) -> None:
        for i, (recipe, _) in enumerate(wanted):
            if recipe.unit.layer == name:
                first = recipe.place.to_front(values, 1)
                own = first.select(1 + recipe.grid.axes.index("channel"), recipe.unit.channel)
                maps = recipe.grid.to_maps(first, recipe.unit.channel)
                found[i] = maps[0].float().cpu().numpy().copy(), float(own.mean())

    taken = taps.models.get().taps
    model, tap = taps.get(tuple(layers), {name: parse_layer(taken.get(name, name)) for name in layers})
    prepared = decode_prepared(wanted[0][1].path, model.preprocessing)
    with torch.inference_mode(), tap.collect(keep, stop=True):
        model.run(torch.as_tensor(prepared, device=model.device)[None])
    return [found[i] for i in range(len(wanted))]


def encode_map(values: np.ndarray) -> tuple[bytes, float, float]:
    """One map as an 8-bit grey PNG, with the values of black and white.

    Parameters
    ----------
    values : (n_rows, n_columns), float32
    """
    if not np.isfinite(values).all():
        raise BeholderError("expected finite activations; got a map with values that are not")
    low, high = float(values.min()), float(values.max())
    proportion = (values.astype(np.float64) - low) / (high - low) if high > low else np.zeros(values.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(255 * proportion).astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue(), low, high


def check_mean(unit: UnitStimuli, one: UnitStimulus, mean: float) -> None:
    """Refuse another network than the one that was recorded: its activations are others."""
    if one.kind != "natural" or one.activation is None or not unit.edges:
        return
    if abs(one.activation - mean) > _TOLERANCE * (unit.edges[-1] - unit.edges[0]):
        raise InputError(
            f"the network that was recorded, whose {unit.layer}:{unit.channel} is {one.activation:g} "
            f"for {one.source or one.path.name}",
            got=f"one where it is {mean:g}",
            hint="the same model and weights",
        )
