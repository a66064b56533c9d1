"""``beholder units sample`` and ``split``: lists of units."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from beholder._core.errors import ConfigurationChanged
from beholder._core.files import read_json, read_units_file
from beholder._core.provenance import record_provenance
from beholder._core.wording import format_count
from beholder.cli._flags import (
    AxesFlags,
    Hidden,
    Layers,
    ModelWord,
    OutputFlags,
    Seed,
    UnitsFile,
    Words,
    flags,
    list_files,
)
from beholder.cli._model_flags import SkeletonFlags

if TYPE_CHECKING:
    from beholder.models import UnitList


def sample(
    word: ModelWord = None,
    /,
    *,
    n_units: int = 50,
    filename: str = "units.json",
    seed: Seed = 42,
    blacklist: Words = None,
    scheme: Literal["document", "released", "uniform"] = "document",
    layers: Layers = None,
    model: SkeletonFlags = SkeletonFlags(),
    axes: AxesFlags = AxesFlags(),
    overwrite: bool = False,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Draw units of a network: a layer, then a channel. No weights are loaded.

    Example: beholder units sample beholder:shapes --n_units 2 --filename units.json

    Parameters
    ----------
    n_units
        Number of units.
    filename
        The file to write.
    seed
        Seed of the draw.
    blacklist
        Files of units that are not drawn.
    scheme
        document: a layer uniformly, then a channel, by the text of Stimuli Generation; released: the same with the
        numbers of the code that was released with it; uniform: every unit with equal chance.
    layers
        Names and patterns of the layers to draw from; default the layers of interest of the network's family.
    model.model_name
        The network, in place of the first word; default the build_network.py of -D.
    model.directory
        A model directory: everything goes under it.
    overwrite
        Replace a file that holds other units.
    """
    model = model.take_word(word)
    files, path = [model.find(name) for name in blacklist or ()], model.join(filename)
    for file in files:
        read_units_file(file)
    model.name_model()
    from beholder.units import sample_units

    units = sample_units(model.look(axes=axes), n_units, seed=seed, scheme=scheme, layers=layers, blacklist=files)
    _write(units, path, overwrite)
    settings = {"model": units.model, "n_units": n_units, "seed": seed, "scheme": scheme, "layers": layers}
    record_provenance(path.parent, path.name, {**settings, "blacklist": [str(file) for file in files]})
    rows = [{"layer": unit.layer, "channel": unit.channel} for unit in units]
    lines = [
        f"{format_count(len(units), 'unit')} of {units.model}, {format_count(len(units.layers), 'layer')}",
        str(path),
    ]
    output.print(lines, {"units": rows, "files": list_files([path])})


def _write(units: UnitList, path: Path, overwrite: bool) -> None:
    """Write a file of units; one that holds others is only replaced when asked."""
    if path.exists() and not overwrite and read_json(path) != units.to_dict():
        raise ConfigurationChanged(
            "a new file, or one with these units", got=f"{path}, which holds others",
            hint="another --filename, or --overwrite to replace it",
        )  # fmt: skip
    units.save(path)


@flags
class _ListFlags(SkeletonFlags):
    pretrained: Annotated[bool, Hidden] = False
    """Accepted, without effect."""
    model_path: Annotated[str | None, Parameter(name=["--model-path", "-mp"], show=False)] = None
    """Accepted, without effect."""


def split(
    n: int,
    /,
    *,
    units_file: UnitsFile,
    model: _ListFlags = _ListFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """Deal a list of units to N jobs, narrow layers first, as {stem}_0.json to {stem}_{N-1}.json beside it.

    Example: beholder units sample beholder:shapes --n_units 2
    Example: beholder units split 2 --units_file units.json

    Parameters
    ----------
    n
        Number of lists.
    units_file
        File of the units to deal, as beholder units sample writes it.
    model.model_name
        The network; default the one that the list names.
    model.directory
        A model directory, where the list lies.
    """
    read_units_file(path := model.find(units_file))
    model.name_model(path)
    from beholder.models import UnitList
    from beholder.units import split_units

    network = model.look(path)
    rows = []
    for i, part in enumerate(split_units(UnitList.read(path, network), n, network)):
        file = part.save(path.with_name(f"{path.stem}_{i}.json"))
        rows.append({"file": str(file), "n_units": len(part)})
    record_provenance(path.parent, path.name.removesuffix(".json") + "_*.json", {"units_file": path.name, "n": n})
    output.print([f"{row['file']}: {format_count(row['n_units'], 'unit')}" for row in rows], {"files": rows})
