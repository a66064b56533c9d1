"""Occluding one unit's pictures: every place of the patch runs through the network, two copies are kept."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from beholder._core.errors import BeholderError, suggest_keywords
from beholder._core.files import write_bytes
from beholder._core.tables import format_records
from beholder.activations import Tap, ThreadTaps, parse_layer
from beholder.jobs import Finish, Shard
from beholder.models import Model, ModelWorker, StimulusAxis
from beholder.stimuli import IMAGENET_MEAN_COLOUR, UnitStimuli, UnitStimulus
from beholder.units._encode import decode_prepared, encode_prepared
from beholder.units._map_worker import check_mean
from beholder.units._threads import iter_results, open_threads

FOLDER = "counterfactual_images"
MANIFEST = "manifest.csv"
COLUMNS: tuple[str, ...] = (
    "batch", "source", "side", "min_x", "min_y", "max_x", "max_y", "activation", "activation_min", "activation_max",
)  # fmt: skip
_BATCH = re.compile(r"batch_(\d+)")
_MICRO_BATCH = 20


@final
@dataclass(frozen=True)
class OcclusionRecipe:
    """How one unit's activation is read.

    Attributes
    ----------
    unit : UnitStimuli
    channel_axis : int
        Among the layer's axes, the batch left out.
    place : StimulusAxis
        Where the layer keeps the stimuli.
    """

    unit: UnitStimuli
    channel_axis: int
    place: StimulusAxis


def list_bases(unit: UnitStimuli) -> list[tuple[int, UnitStimulus]]:
    """Batch and the query that drives the unit, for every batch."""
    queries = unit.select("natural", "max", "query")
    found = [(int(match[1]), one) for one in queries if (match := _BATCH.fullmatch(one.path.parent.name))]
    return sorted(found, key=lambda pair: pair[0])


@dataclass
class OcclusionWorker(ModelWorker):
    """Occludes the pictures of units.

    Parameters
    ----------
    output : path
        The model's folder.
    model : Model
        Reaches worker processes as it is in memory.
    device : str
    recipes : mapping of str to OcclusionRecipe
        By shard.
    proportion : float
    steps : int
    cores : int
        Pictures in flight on the CPU, shared by the workers; does not change a byte.
    """

    output: Path
    model: Model
    device: str
    recipes: Mapping[str, OcclusionRecipe]
    proportion: float
    steps: int
    cores: int
    lookahead: int = field(default=1, init=False)

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Load the model, start the threads."""
        with open_threads(self.model, self.device, self.cores // n_workers, "beholder-occlude") as (pool, taps):
            yield lambda shard: self._start(self.recipes[shard.key], pool, taps)

    def _start(self, recipe: OcclusionRecipe, pool: ThreadPoolExecutor, taps: ThreadTaps) -> Finish:
        bases = list_bases(recipe.unit)
        futures = [pool.submit(self._occlude, taps, recipe, *pair) for pair in bases]

        def finish() -> tuple[dict[str, int], dict[str, Any]]:
            sizes: dict[str, int] = {}
            rows = []
            for made, row in iter_results(futures):
                sizes |= made
                rows.append(row)
                self.report(1)
            path = recipe.unit.path / FOLDER / MANIFEST
            data = format_records(rows, COLUMNS)
            write_bytes(path, data)
            return {**sizes, path.relative_to(self.output).as_posix(): len(data)}, {}

        return finish

    def _occlude(
        self, taps: ThreadTaps, recipe: OcclusionRecipe, batch: int, one: UnitStimulus
    ) -> tuple[dict[str, int], dict[str, Any]]:
        """Write the three pictures of one batch: sizes by name, and the manifest's row."""
        layer = recipe.unit.layer
        model, tap = taps.get(layer, {layer: parse_layer(taps.models.get().taps.get(layer, layer))})
        base = decode_prepared(one.path, model.preprocessing)
        height, width = base.shape[-2:]
        side = max(1, round(self.proportion * min(height, width)))
        places = place_patches(height, width, side, self.steps)
        colour = _prepare_colour(model, len(base))
        values = np.concatenate(
            [measure(model, tap, recipe, base[None]), measure_patches(model, tap, recipe, base, places, side, colour)]
        )
        if not np.isfinite(values).all():
            raise BeholderError(f"expected finite activations; got others for {one.path}")
        check_mean(recipe.unit, one, float(values[0]))
        least, most = int(values[1:].argmin()), int(values[1:].argmax())
        folder = recipe.unit.path / FOLDER / f"batch_{batch}"
        shown = {
            "base": one.path.read_bytes(),
            "min": encode_prepared(cover(base, places[least], side, colour), model.preprocessing),
            "max": encode_prepared(cover(base, places[most], side, colour), model.preprocessing),
        }
        sizes = {}
        for name, data in shown.items():
            path = folder / f"{name}.png"
            write_bytes(path, data)
            sizes[path.relative_to(self.output).as_posix()] = len(data)
        row = {"batch": batch, "source": one.source, "side": side, "activation": np.float32(values[0])}
        for name, place in (("min", least), ("max", most)):
            row[f"{name}_y"], row[f"{name}_x"] = places[place].tolist()
            row[f"activation_{name}"] = np.float32(values[1 + place])
        return sizes, row


@suggest_keywords
def place_patches(height: int, width: int, side: int, steps: int) -> np.ndarray:
    """Corners of square patches, spread evenly from edge to edge, row by row.

    Parameters
    ----------
    height, width : int
        Of the picture, pixels.
    side : int
        Of the patch, pixels, at most the shorter side.
    steps : int
        Positions along each side.

    Returns
    -------
    (steps², 2), int64
        Top and left of each; equal ones, of small pictures, once.

    Examples
    --------
    >>> place_patches(4, 4, 2, 2).tolist()
    [[0, 0], [0, 2], [2, 0], [2, 2]]
    """
    tops, lefts = (np.rint(np.linspace(0, length - side, steps)).astype(np.int64) for length in (height, width))
    grid = np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.unique(grid, axis=0)


def cover(picture: np.ndarray, place: np.ndarray, side: int, colour: np.ndarray) -> np.ndarray:
    """A copy of a picture with a square patch of one colour.

    Parameters
    ----------
    picture : (channels, height, width), float32
    place : (2,), int
        Top and left.
    side : int
    colour : (channels,), float32
    """
    made = picture.copy()
    top, left = place
    made[:, top : top + side, left : left + side] = colour[:, None, None]
    return made


def measure_patches(
    model: Model, tap: Tap, recipe: OcclusionRecipe, base: np.ndarray, places: np.ndarray, side: int, colour: np.ndarray
) -> np.ndarray:
    """The unit's activation with the patch at each place, in batches of one size: (n_places,), float32."""
    values = []
    size = min(_MICRO_BATCH, len(places))
    for start in range(0, len(places), size):
        some = places[start : start + size]
        padded = [*some, *[some[-1]] * (size - len(some))]
        stack = np.stack([cover(base, place, side, colour) for place in padded])
        values.append(measure(model, tap, recipe, stack)[: len(some)])
    return np.concatenate(values)


def measure(model: Model, tap: Tap, recipe: OcclusionRecipe, pictures: np.ndarray) -> np.ndarray:
    """The unit's activation, the mean over its positions, for each picture: (n_pictures,), float32."""
    found: list[np.ndarray] = []

    def keep(name: str, values: torch.Tensor) -> None:
        own = recipe.place.to_front(values, len(pictures)).select(1 + recipe.channel_axis, recipe.unit.channel)
        found.append(own.flatten(1).mean(1).float().cpu().numpy() if own.ndim > 1 else own.float().cpu().numpy())

    with torch.inference_mode(), tap.collect(keep, stop=True):
        model.run(torch.as_tensor(pictures, device=model.device))
    return found[0]


def _prepare_colour(model: Model, n_channels: int) -> np.ndarray:
    """The patch's colour in the model's range: (n_channels,), float32."""
    low, high = model.preprocessing.input_range or (0.0, 1.0)
    colour = np.array(IMAGENET_MEAN_COLOUR, dtype=np.float32) / 255
    colour = colour if n_channels == len(colour) else np.full(n_channels, colour.mean(), dtype=np.float32)
    return np.float32(low) + colour * np.float32(high - low)
