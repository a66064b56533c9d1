"""``beholder units occlude``: pictures that drive units, and copies occluded where it matters most and least."""

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
from beholder.cli._units_run import Place


def occlude(
    *,
    model_name: OptionalModel = None,
    units_file: OptionalUnits = None,
    share: float = 0.4,
    steps: int = 10,
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
    """Occlude pictures that drive units, where that takes most of the activation away, and where least.

    Example: beholder units occlude --model_name squeezenet1_1

    Parameters
    ----------
    model_name
        The model that was recorded; default the one that the units file names.
    units_file
        Only these units; default all in the folder.
    share
        Side of the patch, as a share of the picture's shorter side.
    steps
        Places of the patch along each side.
    out_path
        Folder of all models' stimuli, where exemplars wrote; default ./stimuli/.
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
        Replace what was made with another network or other patches.
    json
        Print one JSON document to stdout.
    """
    from beholder.units import occlude_units

    place = Place(directory, model_name, pretrained, model_path, device, axes, rnd_seed)
    path = place.find(units_file) if units_file else None
    folder = place.find_stimuli(path, out_path, extra_name, "`beholder units exemplars` first")
    found = occlude_units(
        place.load(path), folder, path, share=share, steps=steps, workers=workers, threads=threads, overwrite=overwrite
    )
    rows = []
    for unit in found:
        places = sorted((unit.path / "counterfactual_images").glob("batch_*"))
        if places:
            own = {"layer": unit.layer, "channel": unit.channel, "n_batches": len(places)}
            rows.append({**own, "folder": str(unit.path / "counterfactual_images")})
    if json:
        print_json({"occluded": rows})
    else:
        print(f"{len(rows)} units, {sum(row['n_batches'] for row in rows)} pictures with two occluded copies\n{folder}")
