"""Activation maps: where in its exemplars and visualisations a unit is active."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from beholder._core.errors import InputError
from beholder._core.files import explain_write_errors, remove_temporaries, to_path_name
from beholder._core.hashing import hash_settings
from beholder._core.progress import logger
from beholder._core.provenance import record_provenance
from beholder.activations import parse_layer, probe_layers
from beholder.jobs import JobFolder, Plan, Shard, run_plan
from beholder.models import Model, Unit, UnitList, unwrap_module
from beholder.stimuli import ModelStimuli, UnitStimuli, read_model_stimuli
from beholder.units._encode import decode_prepared
from beholder.units._map_grid import find_grids
from beholder.units._map_worker import FOLDER, MICRO_BATCH, MapRecipe, MapWorker

FORMAT = "beholder-maps-1"


def map_units(
    model: Model,
    folder: Path | str,
    units: UnitList | Iterable[Unit] | Path | str | None = None,
    *,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
) -> ModelStimuli:
    """Write where in its exemplars and visualisations each unit is active.

    Each stimulus in ``{layer}/channel_{c}/natural_images`` and ``optimized_images`` gets a grey picture of one pixel a
    position below ``{layer}/channel_{c}/activation_maps``, whose ``manifest.csv`` has the range of its values and the
    places of the positions. Recomputed activations must agree with the recorded ones within 5 % of their range.
    Interrupted at any moment, the same call completes the folder to the same bytes; units and visualisations may be
    added later.

    Parameters
    ----------
    model : Model
        The network that was recorded.
    folder : path
        ``stimuli/{model}``.
    units : UnitList, iterable of Unit or path, optional
        Only these of the folder's units.
    workers : int
        Processes; does not change a byte.
    threads : int, optional
        Cores to use; default all.
    overwrite : bool
        Replace maps that were made otherwise.

    Returns
    -------
    ModelStimuli
        The folder, its stimuli with their maps.

    Raises
    ------
    InputError
        The folder has no such units, or another network made them.
    ConfigurationChanged
        The maps that are there were made with another network.

    Examples
    --------
    >>> map_units(net, "stimuli/shapes")                          # doctest: +SKIP
    """
    found = read_model_stimuli(folder)
    output = found.path.resolve()
    chosen = _choose(found, units, model)
    jobs = JobFolder(output.parent / f".{output.name}.maps.jobs", output)
    settings = {
        "format": FORMAT,
        "model": model.name,
        "weights": {"tag": model.weights.tag, "sha256": model.weights.sha256},
        "preprocessing": model.preprocessing.to_dict(),
        "micro_batch": MICRO_BATCH,
    }
    recipes, skipped = make_recipes(model, chosen)
    for unit, reason in skipped:
        logger.warning("%s:%d has no maps: %s", unit.layer, unit.channel, reason)
    with jobs.hold():
        if overwrite:
            with explain_write_errors(output):
                jobs.clear()
                for old in output.glob(f"*/channel_*/{FOLDER}"):
                    shutil.rmtree(old)
        remove_temporaries(jobs.path)
        for old in output.glob(f"*/channel_*/{FOLDER}"):
            remove_temporaries(old)
        if not jobs.check_settings(settings):
            jobs.write_settings(settings)
        shards = tuple(_make_shard(key, recipe.unit) for key, recipe in recipes.items())
        plan = Plan(f"maps {output.name}", settings, shards, unit="stimuli")
        cores = threads or os.cpu_count() or 1
        worker = MapWorker(output, model, str(model.device), recipes, cores)
        run_plan(plan, worker, jobs, n_workers=workers)
        told = [{"unit": f"{unit.layer}:{unit.channel}", "reason": reason} for unit, reason in skipped]
        names = [f"{recipe.unit.layer}:{recipe.unit.channel}" for recipe in recipes.values()]
        record_provenance(output, FOLDER, settings, units=names, skipped=told)
        jobs.clear_claims()
    return read_model_stimuli(found.path)


def _choose(
    found: ModelStimuli, units: UnitList | Iterable[Unit] | Path | str | None, model: Model
) -> list[UnitStimuli]:
    if units is None:
        return list(found)
    return [found[unit.layer, unit.channel] for unit in UnitList.collect(units, model)]


def make_recipes(
    model: Model, units: Sequence[UnitStimuli]
) -> tuple[dict[str, MapRecipe], list[tuple[UnitStimuli, str]]]:
    """How each unit is mapped, by the key of its shard; and units that have no positions, with the reason."""
    by_shape: dict[tuple[int, ...], list[UnitStimuli]] = {}
    for unit in units:
        shape = decode_prepared(unit.stimuli[0].path, model.preprocessing).shape
        by_shape.setdefault(shape, []).append(unit)
    recipes: dict[str, MapRecipe] = {}
    skipped = []
    module = unwrap_module(model.module)
    for shape, members in by_shape.items():
        example = torch.zeros((1, *shape), device=model.device)
        layers = list(dict.fromkeys(unit.layer for unit in members))
        grids = find_grids(model, layers, example)
        refs = {name: parse_layer(model.taps.get(name, name)) for name in layers}
        probed = probe_layers(module, refs, lambda x: model.forward(module, model.normalize(x)), example)
        for unit in members:
            layer, grid = probed[unit.layer], grids[unit.layer]
            if grid is None:
                skipped.append((unit, f"the positions of {unit.layer} have no place in a stimulus"))
                continue
            width = layer.shape[layer.axes.index("channel")]
            if unit.channel >= width:
                raise InputError(f"a channel of {unit.layer!r} from 0 to {width - 1}", got=str(unit.channel))
            recipes[f"{to_path_name(unit.layer)}--{unit.channel}"] = MapRecipe(unit, grid, layer.batch_axis)
    return recipes, skipped


def _make_shard(key: str, unit: UnitStimuli) -> Shard:
    """The payload holds what the stimuli are: names, activations and sizes of their files."""
    told = [
        [one.path.relative_to(unit.path).as_posix(), one.source, one.activation, one.path.stat().st_size]
        for one in unit.stimuli
    ]
    return Shard(key, len(told), {"stimuli": hash_settings(told)})
