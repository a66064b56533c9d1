"""``beholder units maps``: where in their exemplars and visualisations units are active."""

from __future__ import annotations

from beholder.cli._options import (
    Axes,
    Device,
    Directory,
    Json,
    ModelPath,
    OptionalModel,
    OptionalOut,
    OptionalUnits,
    Pretrained,
    Seed,
    print_json,
)
from beholder.cli._units_run import Place, Summary


def maps(
    *,
    model_name: OptionalModel = None,
    units_file: OptionalUnits = None,
    out_path: OptionalOut = None,
    extra_name: str = "",
    directory: Directory = None,
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    device: Device = "auto",
    workers: int = 1,
    threads: int | None = None,
    axes: Axes = None,
    rnd_seed: Seed = 42,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Write where in its exemplars and visualisations each unit is active; the report's gallery shows it.

    Example: beholder units maps --model_name squeezenet1_1

    Parameters
    ----------
    model_name
        The model that was recorded; default the one that the units file names.
    units_file
        Only these units; default all in the folder.
    out_path
        Folder of all models' stimuli, where exemplars and optimize wrote; default ./stimuli/.
    extra_name
        The model's folder is {model}_{extra_name}.
    directory
        A model directory: everything is found in it and goes under it.
    pretrained
        Download published weights if they are not here.
    model_path
        Read weights from this file or folder instead.
    device
        auto, cpu, cuda, cuda:N or mps.
    workers
        Processes; does not change a byte.
    threads
        Cores to use; default all.
    axes
        LAYER=channel,height,width for layers whose channel axis the network does not tell, in the order of their axes.
    rnd_seed
        Seed of the weights of a model that ends in @random, as it was recorded.
    overwrite
        Replace maps that were made with another network.
    json
        Print one JSON document to stdout.
    """
    place = Place(directory, model_name, pretrained, model_path, device, axes, rnd_seed)
    summary = run_maps(place, units_file, out_path, extra_name, workers, threads, overwrite)
    print_json(summary.tables) if json else print("\n".join(summary.lines))


def run_maps(
    place: Place,
    units_file: str | None,
    out_path: str | None,
    extra_name: str,
    workers: int,
    threads: int | None,
    overwrite: bool,
) -> Summary:
    """Find the folder, load the model, map the units."""
    from beholder.units import map_units

    path = place.find(units_file) if units_file else None
    folder = place.find_stimuli(path, out_path, extra_name, "`beholder units exemplars` or `optimize` first")
    found = map_units(place.load(path), folder, path, workers=workers, threads=threads, overwrite=overwrite)
    rows = []
    for unit in found:
        n = sum(one.map is not None for one in unit.stimuli)
        rows.append({"layer": unit.layer, "channel": unit.channel, "folder": str(unit.path), "n_maps": n})
    mapped = [row for row in rows if row["n_maps"]]
    lines = [f"{len(mapped)} units, {sum(row['n_maps'] for row in mapped)} maps", str(folder)]
    return Summary(lines, {"maps": mapped})
