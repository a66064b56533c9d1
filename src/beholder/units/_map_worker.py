"""Mapping one unit: its stimuli through the network, and one small grey picture for each."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from PIL import Image

from beholder._core.errors import BeholderError, InputError
from beholder._core.files import write_bytes
from beholder.activations import parse_layer
from beholder.activations._hooks import Tap
from beholder.activations._worker import use_exact_math, use_threads
from beholder.jobs import Finish, Shard, Worker
from beholder.models import Model, ModelSpec, unwrap_module
from beholder.stimuli import UnitStimuli
from beholder.units._encode import decode_prepared
from beholder.units._map_grid import MapGrid

FOLDER = "activation_maps"
MANIFEST = "manifest.csv"
COLUMNS = (
    "file", "stimulus", "low", "high", "mean", "x", "y", "step_x", "step_y", "width", "height", "is_aligned",
)  # fmt: skip
MICRO_BATCH = 16
_TOLERANCE = 0.05


@final
@dataclass(frozen=True)
class MapRecipe:
    """What a worker needs to know of one unit.

    Attributes
    ----------
    unit : UnitStimuli
    grid : MapGrid
    batch_axis : int
        Where the network keeps the batch.
    """

    unit: UnitStimuli
    grid: MapGrid
    batch_axis: int


@dataclass
class MapWorker(Worker):
    """Maps single units.

    Parameters
    ----------
    output : path
        The model's folder.
    model : Model
        Crosses to worker processes as its recipe when it has one.
    device : str
    recipes : mapping of str to MapRecipe
        By shard.
    cores : int
        Micro-batches in flight on the CPU, shared by the workers; does not change a byte.
    """

    output: Path
    model: Model | None
    device: str
    recipes: Mapping[str, MapRecipe]
    cores: int
    spec: ModelSpec | None = field(init=False)
    lookahead: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        self.spec = self.model.spec if self.model else None

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if self.spec is not None:
            state["model"] = None
        return state

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Load the model, put hooks on its layers, start the threads."""
        model = self.model
        if model is None:
            assert self.spec is not None
            model = self.spec.load(self.device)
        on_cpu = torch.device(self.device).type == "cpu"
        with (
            use_threads(1 if on_cpu else torch.get_num_threads()),
            use_exact_math("fp32"),
            ThreadPoolExecutor(max(1, self.cores // n_workers) if on_cpu else 1, "beholder-map") as pool,
            contextlib.ExitStack() as hooks,
        ):
            taps: dict[str, Tap] = {}
            try:
                yield lambda shard: self._start(shard, model, pool, hooks, taps)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _start(
        self, shard: Shard, model: Model, pool: ThreadPoolExecutor, hooks: contextlib.ExitStack, taps: dict[str, Tap]
    ) -> Finish:
        recipe = self.recipes[shard.key]
        layer = recipe.unit.layer
        if layer not in taps:
            ref = parse_layer(model.taps.get(layer, layer))
            taps[layer] = hooks.enter_context(Tap(unwrap_module(model.module), {layer: ref}))
        paths = [one.path for one in recipe.unit.stimuli]
        cuts = [paths[i : i + MICRO_BATCH] for i in range(0, len(paths), MICRO_BATCH)]
        futures = [pool.submit(compute_maps, model, taps[layer], recipe, cut) for cut in cuts]

        def finish() -> tuple[dict[str, int], dict[str, Any]]:
            return self._write(recipe, futures), {}

        return finish

    def _write(self, recipe: MapRecipe, futures: Sequence[Future[tuple[np.ndarray, np.ndarray]]]) -> dict[str, int]:
        try:
            maps, means = (np.concatenate(parts) for parts in zip(*(f.result() for f in futures), strict=True))
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        check_means(recipe.unit, means)
        folder = recipe.unit.path / FOLDER
        sizes, rows = {}, []
        for one, values, mean in zip(recipe.unit.stimuli, maps, means, strict=True):
            stimulus = one.path.relative_to(recipe.unit.path)
            data, low, high = encode_map(values)
            name = stimulus.with_suffix(".png").as_posix()
            rows.append(_make_row(name, stimulus.as_posix(), low, high, mean, recipe.grid))
            write_bytes(folder / name, data)
            sizes[(folder / name).relative_to(self.output).as_posix()] = len(data)
        manifest = format_rows(rows)
        write_bytes(folder / MANIFEST, manifest)
        sizes[(folder / MANIFEST).relative_to(self.output).as_posix()] = len(manifest)
        return sizes


def compute_maps(model: Model, tap: Tap, recipe: MapRecipe, paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Maps of one unit for up to a micro-batch of its stimuli; the batch is always run at its full size.

    Parameters
    ----------
    model : Model
    tap : Tap
        On the unit's layer.
    recipe : MapRecipe
    paths : sequence of Path
        Files of prepared stimuli.

    Returns
    -------
    maps : (n_stimuli, n_rows, n_columns), float32
    means : (n_stimuli,), float32
        The unit's activation: over all positions and tokens, those without a place too.
    """
    batch = np.stack([decode_prepared(path, model.preprocessing) for path in paths])
    batch = np.concatenate([batch, np.repeat(batch[:1], MICRO_BATCH - len(batch), axis=0)])
    found: dict[str, torch.Tensor] = {}

    def keep(_name: str, values: torch.Tensor) -> None:
        values = values.movedim(recipe.batch_axis, 0)
        own = values.select(1 + recipe.grid.axes.index("channel"), recipe.unit.channel)
        found["mean"] = own.flatten(1).mean(1).float().cpu()
        found["maps"] = recipe.grid.to_maps(values, recipe.unit.channel).float().cpu()

    with torch.inference_mode(), tap.collect(keep, stop=True):
        module = unwrap_module(model.module)
        model.forward(module, model.normalize(torch.as_tensor(batch, device=model.device)))
    return found["maps"][: len(paths)].numpy(), found["mean"][: len(paths)].numpy()


def encode_map(values: np.ndarray) -> tuple[bytes, float, float]:
    """One map as an 8-bit grey PNG, with the values of black and white.

    Parameters
    ----------
    values : (n_rows, n_columns), float32
    """
    if not np.isfinite(values).all():
        raise BeholderError("expected finite activations; got a map with values that are not")
    low, high = float(values.min()), float(values.max())
    share = (values.astype(np.float64) - low) / (high - low) if high > low else np.zeros(values.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(255 * share).astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue(), low, high


def check_means(unit: UnitStimuli, means: np.ndarray) -> None:
    """Refuse another network than the one that was recorded: its activations are others."""
    if not unit.edges:
        return
    span = unit.edges[-1] - unit.edges[0]
    for one, mean in zip(unit.stimuli, means, strict=True):
        if one.kind == "natural" and one.activation is not None and abs(one.activation - mean) > _TOLERANCE * span:
            raise InputError(
                f"the network whose units these are: {unit.layer}:{unit.channel} at {one.activation:g} "
                f"for {one.path.name}",
                got=f"{mean:g}",
                hint="the model and weights that were recorded",
            )


def _make_row(name: str, stimulus: str, low: float, high: float, mean: Any, grid: MapGrid) -> dict[str, Any]:
    places = {key: getattr(grid, key) for key in ("x", "y", "step_x", "step_y", "width", "height")}
    bounds = {"low": str(np.float32(low)), "high": str(np.float32(high)), "mean": str(np.float32(mean))}
    return {"file": name, "stimulus": stimulus, **bounds, **places, "is_aligned": "yes" if grid.is_aligned else "no"}


def format_rows(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The bytes of a maps' ``manifest.csv``."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
