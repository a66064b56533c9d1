"""Planning visualisations: what decides their bytes, and which units are worked on together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.files import to_path_name
from beholder._core.hashing import hash_settings
from beholder._core.provenance import find_network
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.settings import keep_batch_size
from beholder.activations import Activations
from beholder.jobs import JobFolder, Shard
from beholder.models import Model, Unit
from beholder.synthesis.engine._checkpoint import describe_model, describe_part
from beholder.synthesis.engine._loop import Recipe
from beholder.synthesis.engine._optimizers import Adam
from beholder.synthesis.engine._plan import DEVICE_BATCH
from beholder.synthesis.engine._recipe import make_recipe
from beholder.synthesis.engine._session import count_cores, count_threads
from beholder.synthesis.engine._validate import check_count
from beholder.synthesis.images._fourier import Fourier, PhaseOnly
from beholder.synthesis.images._parameterization import Parameterization, Pixels
from beholder.synthesis.objectives._of_units import USUAL
from beholder.synthesis.visualizations._standing import SIGNS, NaturalDistribution
from beholder.synthesis.visualizations._steer import STEERING

FORMAT = "beholder-visualizations-2"
_RATES = {"fourier": 0.1, "phase": 0.3, "pixels": 0.1}
_SOUND_RATE = 0.01
PARAMETERIZATIONS = tuple(_RATES)
RECIPES = ("steered", "searched")
"""How the strength of the diversity term is found; the first is taken where nothing else is said."""
_MAX_LOOPS = 2
_SEARCH = "search"
_LAYOUT = "layout.json"
_BATCHES_PER_GROUP = 4


@final
@dataclass(frozen=True)
class VisualizationOptions:
    """How to visualise; every field is documented at :func:`~beholder.synthesis.optimize_units`."""

    n_images: int = 10
    steps: int = 64
    diversity: float | None = None
    recipe: str | None = None
    max_loops: int | None = None
    learning_rate: float | None = None
    objective: str = USUAL
    parameterization: str = "fourier"
    spectrum: Any = None
    transparency: bool | None = None
    seed: int = DEFAULT_SEED
    batch_size: int | None = None
    workers: int = 1
    threads: int | None = None
    overwrite: bool = False

    def check(self) -> None:
        """Refuse values outside their ranges."""
        for name in ("n_images", "steps", "batch_size", "workers", "threads"):
            value = getattr(self, name)
            if value is not None:
                check_count(value, f"of --{name}")
        if self.recipe not in (None, *RECIPES):
            raise UnknownNameError("recipe", str(self.recipe), RECIPES)
        if self.max_loops is not None and self.max_loops < 0:
            raise InputError("--max_loops of 0 or more", got=str(self.max_loops))
        if self.recipe is not None and self.diversity is not None:
            raise InputError("--recipe, or --diversity", got="both")
        if self.max_loops is not None and self.recipe == "steered":
            raise InputError("--max_loops with --recipe searched", got="--recipe steered")
        if self.diversity is not None and not 0 <= self.diversity < math.inf:
            raise InputError("--diversity of 0 or more", got=str(self.diversity))
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise InputError("--learning_rate above 0", got=str(self.learning_rate))
        if self.parameterization not in PARAMETERIZATIONS:
            raise InputError(f"--parameterization {'|'.join(PARAMETERIZATIONS)}", got=repr(self.parameterization))
        if self.spectrum is not None and self.parameterization != "phase":
            raise InputError("a spectrum with the parameterization 'phase'", got=repr(self.parameterization))


def make_unit_recipe(model: Model, shape: tuple[int, ...], options: VisualizationOptions) -> Recipe:
    """The recipe of the engine for these options."""
    maker: Parameterization | None = None
    rate = options.learning_rate
    if len(shape) == 3 and shape[0] in (1, 3):
        makers = {"fourier": Fourier(), "phase": PhaseOnly(options.spectrum), "pixels": Pixels()}
        maker = makers[options.parameterization]
        rate = rate or _RATES[options.parameterization]
    elif options.parameterization != "fourier":
        raise InputError(
            f"pictures for --parameterization {options.parameterization}", got=f"stimuli of shape {shape}",
            hint="leaving it out",
        )  # fmt: skip
    elif model.modality == "sound":
        rate = rate or _SOUND_RATE
    transparency = options.parameterization == "phase" if options.transparency is None else options.transparency
    if transparency and maker is None:
        raise InputError("pictures for --transparency", got=f"stimuli of shape {shape}")
    return make_recipe(
        model, shape, maker, None, (), Adam(learning_rate=rate), steps=options.steps, stop=(), redirect_steps=16,
        samples=1, keep="last", transparency=transparency,
    )  # fmt: skip


def describe_recording(acts: Activations | None) -> dict[str, Any] | None:
    """What a recording is, for the settings of what rests on it: JSON-able."""
    if acts is None:
        return None
    return {
        "model": acts.model,
        "network": find_network(acts.attributes),
        "recording": hash_settings(acts.attributes.get("settings")),
        "stimuli": hash_settings([list(acts.stimulus_ids), list(acts.stimulus_hashes)]),
    }


def resolve_settings(
    model: Model,
    recipe: Recipe,
    acts: Activations | None,
    options: VisualizationOptions,
    n_units: int,
    old: dict[str, Any] | None,
) -> dict[str, Any]:
    """Everything that can change a byte. Batch size and threads are chosen when an output is first planned."""
    on_cpu = model.device.type == "cpu"
    if old is not None:
        batch_size, intra_threads = keep_batch_size(options.batch_size, old, "stimuli of units"), old["intra_threads"]
    else:
        batch_size = options.batch_size or (None if on_cpu else DEVICE_BATCH)
        n_problems = n_units * len(SIGNS)
        intra_threads = count_threads(count_cores(options.threads), n_problems, model)
    return {
        **model.describe_axes(),
        "format": FORMAT,
        "model": describe_model(model),
        "natural": describe_recording(acts),
        "recipe": describe_part(recipe),
        "n_images": options.n_images,
        **_describe_diversity(options),
        **({} if options.objective == USUAL else {"objective": options.objective}),
        "seed": options.seed,
        "device": model.device.type,
        "batch_size": batch_size,
        "intra_threads": intra_threads,
    }  # fmt: skip


def _describe_diversity(options: VisualizationOptions) -> dict[str, Any]:
    """How strong the term that makes images differ is."""
    if options.diversity is not None:
        return {"diversity": float(options.diversity), "max_loops": None}
    if options.recipe == "steered":
        return {"diversity": "steered", "max_loops": None, "steering": STEERING.to_dict()}
    return {"diversity": _SEARCH, "max_loops": options.max_loops}


def settle_recipe(options: VisualizationOptions, old: Mapping[str, Any] | None) -> VisualizationOptions:
    """Fill in the recipe where none was asked for: that of what is there, else the usual one.

    Parameters
    ----------
    options : VisualizationOptions
    old : mapping or None
        Settings of the output, if there is one.

    Examples
    --------
    >>> settle_recipe(VisualizationOptions(), None).recipe
    'steered'
    >>> settle_recipe(VisualizationOptions(max_loops=7), None).recipe
    'searched'
    >>> settle_recipe(VisualizationOptions(), {"diversity": "search", "max_loops": 7}).max_loops
    7
    """
    recipe, max_loops, found = options.recipe, options.max_loops, old or {}
    if options.diversity is not None:
        return options
    if recipe is None:
        is_searched = max_loops is not None or found.get("diversity") == _SEARCH
        recipe = "searched" if is_searched else RECIPES[0]
    if recipe == "searched" and max_loops is None:
        max_loops = _MAX_LOOPS if options.recipe or found.get("max_loops") is None else found["max_loops"]
    return replace(options, recipe=recipe, max_loops=max_loops)


def cut_groups(
    units: Sequence[Unit], settings: dict[str, Any], recorded: Sequence[Sequence[Unit]] = ()
) -> list[list[Unit]]:
    """Which units are worked on together: the groups that there are, and new ones for units that are in none.

    Where every problem is a batch of its own, so is every unit a group. Else, on the CPU only units of one layer share
    a group, so that none runs deeper than it must, and a group fills one batch; on an accelerator any units do, and a
    group fills four.

    Parameters
    ----------
    units : sequence of Unit
    settings : dict
        As :func:`resolve_settings` gives them.
    recorded : sequence of sequence of Unit
        Groups of earlier runs, which stay as they are.

    Examples
    --------
    >>> settings = {"n_images": 2, "batch_size": 8, "device": "cpu"}
    >>> [[str(unit) for unit in group] for group in cut_groups([Unit("a", i) for i in range(3)], settings)]
    [['a:0', 'a:1'], ['a:2']]
    """
    on_cpu = settings["device"] == "cpu"
    images = (settings["batch_size"] or 0) * (1 if on_cpu else _BATCHES_PER_GROUP)
    size = max(1, math.ceil(images / (len(SIGNS) * settings["n_images"])))
    known = {unit for group in recorded for unit in group}
    by_layer: dict[str, list[Unit]] = {}
    for unit in units:
        if unit not in known:
            by_layer.setdefault(unit.layer, []).append(unit)
    rows = list(by_layer.values()) if on_cpu else [[unit for row in by_layer.values() for unit in row]]
    fresh = [row[start : start + size] for row in rows for start in range(0, len(row), size)]
    return [*(list(group) for group in recorded), *fresh]


def plan_groups(folder: JobFolder, units: Sequence[Unit], settings: dict[str, Any]) -> list[list[Unit]]:
    """The groups that hold one of ``units``: those of earlier runs, and new ones, which are recorded."""
    document = (folder.read_record(_LAYOUT) or {"groups": []})["groups"]
    recorded = [[Unit(layer, channel) for layer, channel in group] for group in document]
    groups = cut_groups(units, settings, recorded)
    if len(groups) > len(recorded):
        record = [[[unit.layer, unit.channel] for unit in group] for group in groups]
        folder.write_record(_LAYOUT, {"groups": record})
    asked = set(units)
    return [group for group in groups if asked & set(group)]


def make_shards(
    groups: Sequence[list[Unit]], naturals: dict[Unit, NaturalDistribution | None], n_images: int
) -> tuple[Shard, ...]:
    """One shard a group; its payload says which units, and what they are compared with."""
    shards = []
    for group in groups:
        payload = {
            "units": [[unit.layer, unit.channel] for unit in group],
            "natural": [natural.hash() for unit in group if (natural := naturals[unit]) is not None] or None,
        }
        name = f"{to_path_name(group[0].layer)}--{group[0].channel}"  # that of a unit which is in no other group
        shards.append(Shard(name, len(SIGNS) * n_images * len(group), payload))
    return tuple(shards)
