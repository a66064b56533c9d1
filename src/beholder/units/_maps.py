"""Activation maps: where in its exemplars and visualisations a unit is active."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from beholder._core.cores import count_cores
from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import to_path_name, write_bytes
from beholder._core.hashing import hash_file_fast, hash_settings
from beholder._core.progress import logger
from beholder._core.provenance import refuse_other_network
from beholder._core.tables import format_records
from beholder.activations import parse_layer, probe_layers
from beholder.jobs import JobFolder, Plan, Shard, check_content, long_work, open_output, place_output
from beholder.models import (
    Model,
    Unit,
    UnitList,
    copy_model,
    describe_preprocessing,
    identify_model,
    list_identities,
)
from beholder.stimuli import ModelStimuli, UnitStimuli, read_model_stimuli
from beholder.units._encode import decode_prepared
from beholder.units._map_grid import find_grids
from beholder.units._map_worker import FOLDER, MapRecipe, MapWorker, Wanted

FORMAT = "beholder-maps-2"
MANIFEST = "manifest.csv"
_PLACES = ("x", "y", "step_x", "step_y", "width", "height")
COLUMNS: tuple[str, ...] = ("file", "stimulus", "low", "high", "mean", *_PLACES, "is_aligned")
_CHUNK = 32
_CHUNK_PREFIX = "chunk-"


@suggest_keywords
@long_work
def map_units(
    model: Model,
    folder: Path | str,
    units: UnitList | Unit | Iterable[Unit | str] | Path | str | None = None,
    *,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> ModelStimuli:
    """Write where in its exemplars and visualisations each unit is active.

    Each stimulus in ``{layer}/channel_{c}/natural_images`` and ``optimized_images`` gets a grey picture of one pixel a
    position below ``{layer}/channel_{c}/activation_maps``, whose ``manifest.csv`` has the range of its values and the
    places of the positions. Activations must agree with the recorded ones within 5 % of their range. Interrupted at
    any moment, the same call completes the folder to the same bytes; units and visualisations may be added later, by
    several runs at the same time.

    Parameters
    ----------
    model : Model
        The network that was recorded.
    folder : path
        ``stimuli/{model}``.
    units : UnitList, Unit or str ``"layer:channel"``, several, or path, optional
        Only these of the folder's units.
    workers : int
        Processes; does not change a byte.
    threads : int, optional
        Cores to use; default all.
    overwrite : bool
        Replace maps that were made otherwise.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    ModelStimuli
        The folder, its stimuli with their maps.

    Raises
    ------
    InputError
        The folder has no such units, or another network was recorded.
    ConfigurationChanged
        The maps that are there were made with another network.

    Examples
    --------
    >>> import beholder as bh
    >>> net = bh.load_model("beholder:shapes", device="cpu")
    >>> acts = bh.record_units(net, "images", ["block3:5", "block3:7"])
    >>> folder = bh.write_exemplars(bh.find_exemplars(acts, ["block3:5"], num_batches=1), "exemplars")
    >>> mapped = bh.map_units(net, folder)
    >>> sum(one.map is not None for one in mapped.units[0].stimuli)
    20
    """
    place = Path(folder).resolve()
    found = read_model_stimuli(place_output(place, place))
    output = found.path
    check_content(output, *(one.path for unit in found for one in unit.stimuli))
    chosen = list(found) if units is None else _choose(found, UnitList.collect(units, model))
    jobs = JobFolder(output.parent / f".{output.name}.maps.jobs", output)
    settings = {
        "format": FORMAT,
        "model": model.name,
        "network": identify_model(model),
        "preprocessing": describe_preprocessing(model),
        "device": model.device.type,
        **model.describe_axes(),
    }
    recipes, skipped = make_recipes(model, chosen)
    for unit, reason in skipped:
        logger.warning("%s:%d has no maps: %s", unit.layer, unit.channel, reason)
    refuse_other_network(output, ["natural_images", "optimized_images"], list_identities(model), model.name)
    remove = partial(jobs.clear, output.glob(f"*/channel_*/{FOLDER}")) if overwrite else None
    leftovers = output.glob(f"*/channel_*/{FOLDER}")
    with open_output(jobs, leftovers=leftovers, replace=remove, shared=True) as work:
        work.settle(settings)
        whole = Plan(f"maps {output.name}", settings, tuple(map(_make_unit_shard, recipes)), unit="stimuli")
        by_unit = {shard.key: recipe for shard, recipe in zip(whole.shards, recipes, strict=True)}
        while True:
            left = [shard.key for shard in whole.shards if jobs.read_receipt(whole.hash, shard) is None]
            elsewhere = work.announcement.make(left)
            todo = [by_unit[key] for key in left if key not in elsewhere]
            chunks = cut_chunks(todo)
            plan = Plan(whole.name, settings, tuple(map(_make_chunk_shard, chunks)), unit="stimuli")
            by_key = {shard.key: chunk for shard, chunk in zip(plan.shards, chunks, strict=True)}
            worker = MapWorker(output, model, str(model.device), by_key, threads or count_cores())
            receipts = work.run(plan, worker, n_workers=workers)
            _write_manifests(todo, receipts, whole, jobs)
            if not elsewhere:
                break
            work.wait(f"another run maps {len(elsewhere)} of these units")
        facts = {
            "units": [f"{recipe.unit.layer}:{recipe.unit.channel}" for recipe in recipes],
            "skipped": [{"unit": f"{unit.layer}:{unit.channel}", "reason": reason} for unit, reason in skipped],
        }
        work.record(output, FOLDER, facts)
    return read_model_stimuli(folder)


def _choose(found: ModelStimuli, units: UnitList) -> list[UnitStimuli]:
    return [found[unit.layer, unit.channel] for unit in units]


def make_recipes(model: Model, units: Sequence[UnitStimuli]) -> tuple[list[MapRecipe], list[tuple[UnitStimuli, str]]]:
    """How each unit is mapped; and the units that have no positions, with the reason."""
    by_shape: dict[tuple[int, ...], list[UnitStimuli]] = {}
    for unit in units:
        shape = decode_prepared(unit.stimuli[0].path, model.preprocessing).shape
        by_shape.setdefault(shape, []).append(unit)
    recipes, skipped = [], []
    model = copy_model(model)
    for shape, members in by_shape.items():
        example = torch.zeros((1, *shape), device=model.device)
        layers = list(dict.fromkeys(unit.layer for unit in members))
        grids = find_grids(model, layers, example)
        refs = {name: parse_layer(model.taps.get(name, name)) for name in layers}
        probed = probe_layers(model.module, refs, model.run, example, axes=model.axes, modality=model.modality)
        for unit in members:
            layer, grid = probed[unit.layer], grids[unit.layer]
            if grid is None:
                skipped.append((unit, f"{unit.layer} has no positions with a place in a stimulus"))
                continue
            width = layer.shape[layer.channel_axis]
            if unit.channel >= width:
                raise InputError(f"a channel of {unit.layer!r} from 0 to {width - 1}", got=str(unit.channel))
            recipes.append(MapRecipe(unit, grid, layer.place))
    return recipes, skipped


def cut_chunks(recipes: Sequence[MapRecipe]) -> list[list[list[Wanted]]]:
    """Natural stimuli in chunks, each once for all its units; visualisations in chunks by layer.

    Returns
    -------
    list of list of list of (MapRecipe, UnitStimulus)
        Chunk, distinct stimulus, the maps that are made of it.
    """
    natural: dict[str, list[Wanted]] = {}
    made: dict[str, list[list[Wanted]]] = {}
    for recipe in recipes:
        for one in recipe.unit.stimuli:
            if one.kind == "natural" and one.source:
                natural.setdefault(one.source, []).append((recipe, one))
            else:
                made.setdefault(recipe.unit.layer, []).append([(recipe, one)])
    groups = [[natural[source] for source in sorted(natural)], *made.values()]
    return [group[i : i + _CHUNK] for group in groups for i in range(0, len(group), _CHUNK)]


def _make_unit_shard(recipe: MapRecipe) -> Shard:
    unit = recipe.unit
    told = [_tell(recipe, one) for one in unit.stimuli]
    key = f"{to_path_name(unit.layer)}--{unit.channel}"
    return Shard(key, len(told), {"stimuli": hash_settings(told)})


def _make_chunk_shard(chunk: Sequence[Sequence[Wanted]]) -> Shard:
    told = hash_settings([[_tell(*wanted) for wanted in distinct] for distinct in chunk])
    return Shard(f"{_CHUNK_PREFIX}{told[:24]}", sum(len(distinct) for distinct in chunk), {"stimuli": told})


def _tell(recipe: MapRecipe, one: Any) -> list[Any]:
    """What a map is made of: unit, file, where it came from, activation, content."""
    unit = recipe.unit
    name = one.path.relative_to(unit.path).as_posix()
    return [unit.layer, unit.channel, name, one.source, one.activation, hash_file_fast(one.path)]


def _write_manifests(
    recipes: Sequence[MapRecipe], receipts: Sequence[Mapping[str, Any]], plan: Plan, jobs: JobFolder
) -> None:
    """A manifest for each unit whose maps are all there; its receipt takes the place of the chunks' receipts."""
    sizes = {name: size for receipt in receipts for name, size in receipt["files"].items()}
    bounds = {name: numbers for receipt in receipts for name, numbers in receipt["facts"]["bounds"].items()}
    shards = {shard.key: shard for shard in plan.shards}
    for recipe in recipes:
        folder = recipe.unit.path / FOLDER
        files, rows = {}, []
        for one in recipe.unit.stimuli:
            path = recipe.find_file(one)
            name = path.relative_to(jobs.output).as_posix()
            files[name] = sizes[name]
            low, high, mean = bounds[name]
            rows.append(
                {
                    "file": path.relative_to(folder).as_posix(),
                    "stimulus": one.path.relative_to(recipe.unit.path).as_posix(),
                    "low": low, "high": high, "mean": mean,
                    **{key: getattr(recipe.grid, key) for key in _PLACES},
                    "is_aligned": "yes" if recipe.grid.is_aligned else "no",
                }
            )  # fmt: skip
        manifest = format_records(rows, COLUMNS)
        write_bytes(folder / MANIFEST, manifest)
        files[(folder / MANIFEST).relative_to(jobs.output).as_posix()] = len(manifest)
        shard = shards[_make_unit_shard(recipe).key]
        machines = {
            mark
            for receipt in receipts
            if not files.keys().isdisjoint(receipt["files"])
            for mark in receipt.get("machine", ())
        }
        jobs.write_receipt(plan, shard, files, {}, machines)
    whole = {name for receipt in jobs.iter_receipts() if not _is_of_chunk(receipt) for name in receipt["files"]}
    jobs.drop_receipts(lambda receipt: _is_of_chunk(receipt) and whole.issuperset(receipt["files"]))


def _is_of_chunk(receipt: Mapping[str, Any]) -> bool:
    return "bounds" in receipt["facts"]
