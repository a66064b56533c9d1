"""``beholder units maps`` and ``occlude``: where in their stimuli units are active, and what hiding that does."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from beholder._core.wording import format_count
from beholder.cli._flags import (
    AxesFlags,
    LongFlags,
    ModelWord,
    OptionalOut,
    OptionalUnits,
    OutputFlags,
    Seed,
    WorkFlags,
    flags,
)
from beholder.cli._model_flags import ModelFlags


@flags
class _MadeFlags:
    units_file: OptionalUnits = None
    """File of the units, if not all in the folder."""
    out_path: OptionalOut = None
    """Folder of all networks' stimuli, where exemplars and optimize wrote; default ./stimuli/."""
    extra_name: str = ""
    """The network's folder is {model}_{extra_name}."""


def maps(
    word: ModelWord = None,
    /,
    *,
    model: ModelFlags = ModelFlags(),
    made: _MadeFlags = _MadeFlags(),
    axes: AxesFlags = AxesFlags(),
    work: WorkFlags = WorkFlags(),
    long: LongFlags = LongFlags(),
    rnd_seed: Seed = 42,
    overwrite: bool = False,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Write where in its exemplars and visualisations each unit is active; the report's gallery shows it.

    Example: beholder stimuli draw shapes
    Example: beholder units sample beholder:shapes --n_units 2
    Example: beholder units record beholder:shapes --units_file units.json
    Example: beholder units exemplars beholder:shapes --units_file units.json --num_batches 2
    Example: beholder units maps beholder:shapes

    Parameters
    ----------
    model.model_name
        The network that was recorded, in place of the first word; default the one that the units file names.
    rnd_seed
        Seed of the weights of a network whose name ends in @random, as it was recorded.
    overwrite
        Replace maps that were made with another network.
    """
    model = model.take_word(word)
    path = model.find(made.units_file) if made.units_file else None
    hint = "`beholder units exemplars` or `optimize` first"
    folder = model.find_stimuli(path, made.out_path, made.extra_name, hint)
    from beholder.units import map_units

    found = map_units(model.load(path, axes, rnd_seed), folder, path, overwrite=overwrite, **vars(work), **vars(long))
    rows = []
    for unit in found:
        n = sum(one.map is not None for one in unit.stimuli)
        if n:
            rows.append({"layer": unit.layer, "channel": unit.channel, "folder": str(unit.path), "n_maps": n})
    output.print(
        [f"{format_count(len(rows), 'unit')}, {format_count(sum(row['n_maps'] for row in rows), 'map')}", str(folder)],
        {"maps": rows},
    )


def occlude(
    word: ModelWord = None,
    /,
    *,
    model: ModelFlags = ModelFlags(),
    made: _MadeFlags = _MadeFlags(),
    proportion: Annotated[float, Parameter(name=["--proportion", "--share"])] = 0.4,
    steps: int = 10,
    axes: AxesFlags = AxesFlags(),
    work: WorkFlags = WorkFlags(),
    long: LongFlags = LongFlags(),
    rnd_seed: Seed = 42,
    overwrite: bool = False,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Occlude pictures that drive units, where that takes most of the activation away, and where least.

    Example: beholder stimuli draw shapes
    Example: beholder units sample beholder:shapes --n_units 2
    Example: beholder units record beholder:shapes --units_file units.json
    Example: beholder units exemplars beholder:shapes --units_file units.json --num_batches 2
    Example: beholder units occlude beholder:shapes

    Parameters
    ----------
    model.model_name
        The network that was recorded, in place of the first word; default the one that the units file names.
    made.out_path
        Folder of all networks' stimuli, where exemplars wrote; default ./stimuli/.
    proportion
        Side of the patch, as a proportion of the picture's shorter side.
    steps
        Places of the patch along each side.
    rnd_seed
        Seed of the weights of a network whose name ends in @random, as it was recorded.
    overwrite
        Replace what was made with another network or other patches.
    """
    model = model.take_word(word)
    path = model.find(made.units_file) if made.units_file else None
    folder = model.find_stimuli(path, made.out_path, made.extra_name, "`beholder units exemplars` first")
    from beholder.units import occlude_units

    network = model.load(path, axes, rnd_seed)
    found = occlude_units(
        network, folder, path, proportion=proportion, steps=steps, overwrite=overwrite, **vars(work), **vars(long)
    )
    rows = []
    for unit in found:
        own = unit.path / "counterfactual_images"
        n = len(list(own.glob("batch_*")))
        if n:
            rows.append({"layer": unit.layer, "channel": unit.channel, "n_batches": n, "folder": str(own)})
    n = sum(row["n_batches"] for row in rows)
    output.print(
        [f"{format_count(len(rows), 'unit')}, {format_count(n, 'picture')} with two occluded copies", str(folder)],
        {"occluded": rows},
    )
