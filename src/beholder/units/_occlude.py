"""Occlusion: pictures that drive a unit, covered where that takes most of its activation away, and where least."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from beholder._core.cores import count_cores
from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import to_path_name
from beholder._core.hashing import hash_file_fast, hash_settings
from beholder._core.provenance import refuse_other_network
from beholder._core.renamed import accept_old_keywords
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
from beholder.stimuli import IMAGENET_MEAN_COLOUR, ModelStimuli, UnitStimuli, read_model_stimuli
from beholder.units._encode import decode_prepared
from beholder.units._occlude_worker import FOLDER, OcclusionRecipe, OcclusionWorker, list_bases

FORMAT = "beholder-occlusion-2"


@accept_old_keywords(share="proportion")
@suggest_keywords
@long_work
def occlude_units(
    model: Model,
    folder: Path | str,
    units: UnitList | Unit | Iterable[Unit | str] | Path | str | None = None,
    *,
    proportion: float = 0.4,
    steps: int = 10,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> ModelStimuli:
    """Write, for every batch of a unit's exemplars, the query that drives it, and two occluded copies.

    A square patch of the mean colour of natural pictures is laid over the picture at ``steps`` × ``steps`` places;
    where the unit stays most active is ``max.png``, where least ``min.png``, beside the picture itself, ``base.png``,
    in ``{layer}/channel_{c}/counterfactual_images/batch_{b}``. A ``manifest.csv`` has the places and activations.
    Interrupted at any moment, the same call completes the folder to the same bytes; several runs may each take units
    of it at the same time.

    Parameters
    ----------
    model : Model
        The network that was recorded.
    folder : path
        ``stimuli/{model}`` with pictures.
    units : UnitList, Unit or str ``"layer:channel"``, several, or path, optional
        Only these of the folder's units.
    proportion : float
        Side of the patch, as a proportion of the picture's shorter side, in (0, 1).
    steps : int
        Places along each side, at least 2.
    workers : int
        Processes; does not change a byte.
    threads : int, optional
        Cores to use; default all.
    overwrite : bool
        Replace what was made otherwise.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    ModelStimuli
        The folder.

    Raises
    ------
    InputError
        The folder has no such units or no pictures, or another network was recorded.
    ConfigurationChanged
        What is there was made with another network or other patches.

    Notes
    -----
    Source: Zimmermann et al. (2021), How well do feature visualizations support causal understanding of CNN
    activations?

    Examples
    --------
    >>> occlude_units(net, "stimuli/shapes")                      # doctest: +SKIP
    """
    if not 0 < proportion < 1:
        raise InputError("a proportion between 0 and 1", got=str(proportion))
    if steps < 2:
        raise InputError("2 steps or more", got=str(steps))
    place = Path(folder).resolve()
    found = read_model_stimuli(place_output(place, place))
    check_content(found.path, *(one.path for unit in found for one in unit.stimuli))
    chosen = list(found)
    if units is not None:
        chosen = [found[unit.layer, unit.channel] for unit in UnitList.collect(units, model)]
    recipes = make_recipes(model, chosen)
    jobs = JobFolder(found.path.parent / f".{found.path.name}.occlusion.jobs", found.path)
    settings = {
        "format": FORMAT,
        "model": model.name,
        "network": identify_model(model),
        "preprocessing": describe_preprocessing(model),
        "device": model.device.type,
        **model.describe_axes(),
        "share": proportion,  # the name that results have kept
        "steps": steps,
        "colour": list(IMAGENET_MEAN_COLOUR),
    }
    refuse_other_network(found.path, ["natural_images", "optimized_images"], list_identities(model), model.name)
    remove = partial(jobs.clear, found.path.glob(f"*/channel_*/{FOLDER}")) if overwrite else None
    leftovers = found.path.glob(f"*/channel_*/{FOLDER}")
    with open_output(jobs, leftovers=leftovers, replace=remove, shared=True) as work:
        work.settle(settings)
        shards = tuple(_make_shard(recipe) for recipe in recipes)
        plan = Plan(f"occlude {found.path.name}", settings, shards, unit="pictures")
        by_key = {shard.key: recipe for shard, recipe in zip(shards, recipes, strict=True)}
        cores = threads or count_cores()
        worker = OcclusionWorker(found.path, model, str(model.device), by_key, proportion, steps, cores)
        work.run(plan, worker, n_workers=workers)
        facts = {"units": [f"{recipe.unit.layer}:{recipe.unit.channel}" for recipe in recipes]}
        work.record(found.path, FOLDER, facts)
    return read_model_stimuli(folder)


def make_recipes(model: Model, units: list[UnitStimuli]) -> list[OcclusionRecipe]:
    """How each unit's activation is read: the axes of its layer."""
    model = copy_model(model)
    recipes = []
    by_layer: dict[str, list[UnitStimuli]] = {}
    for unit in units:
        bases = list_bases(unit)
        if not bases:
            raise InputError(
                "exemplars with queries", got=f"none in {unit.path}", hint="`beholder units exemplars` first"
            )
        if bases[0][1].path.suffix != ".png":
            raise InputError("pictures to occlude", got=str(bases[0][1].path))
        by_layer.setdefault(unit.layer, []).append(unit)
    for layer, members in by_layer.items():
        shape = decode_prepared(list_bases(members[0])[0][1].path, model.preprocessing).shape
        refs = {layer: parse_layer(model.taps.get(layer, layer))}
        example = torch.zeros((1, *shape), device=model.device)
        probed = probe_layers(model.module, refs, model.run, example, axes=model.axes, modality=model.modality)[layer]
        axis = probed.channel_axis
        for unit in members:
            if unit.channel >= probed.shape[axis]:
                raise InputError(f"a channel of {layer!r} from 0 to {probed.shape[axis] - 1}", got=str(unit.channel))
            recipes.append(OcclusionRecipe(unit, axis, probed.place))
    return recipes


def _make_shard(recipe: OcclusionRecipe) -> Shard:
    unit = recipe.unit
    told: list[Any] = [[batch, one.source, one.activation, hash_file_fast(one.path)] for batch, one in list_bases(unit)]
    key = f"{to_path_name(unit.layer)}--{unit.channel}"
    return Shard(key, len(told), {"bases": hash_settings([unit.layer, unit.channel, told])})
