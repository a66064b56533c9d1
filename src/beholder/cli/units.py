"""``beholder units``: draw units, record them, find the stimuli that drive them."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._options import (
    Axes,
    BatchSize,
    Device,
    Directory,
    InPath,
    Json,
    ModelPath,
    OptionalModel,
    OptionalOut,
    OptionalUnits,
    Pretrained,
    Seed,
    UnitsFile,
    Words,
    make_app,
    print_json,
)
from beholder.cli._units_maps import maps
from beholder.cli._units_occlude import occlude
from beholder.cli._units_optimize import optimize

app = make_app("units", "Units of a network: sample them, record them, find their exemplars, draw what drives them.")
app.command(optimize)
app.command(maps)
app.command(occlude)

Layers = Annotated[list[str] | None, Parameter(name=["--layers", "--module-name", "-mn"], consume_multiple=True)]
OptionalIn = Annotated[str | None, Parameter(name=["--in-path", "-ip"])]


@app.command
def sample(
    *,
    model_name: OptionalModel = None,
    n_units: int = 50,
    filename: str = "units.json",
    seed: Seed = 42,
    blacklist: Words = None,
    scheme: Literal["document", "released", "uniform"] = "document",
    layers: Layers = None,
    directory: Directory = None,
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    device: Device = "auto",
    axes: Axes = None,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Draw units of a network: a layer, then a channel. No weights are loaded.

    Example: beholder units sample --model_name squeezenet1_1 --n_units 50 --filename units.json

    Parameters
    ----------
    model_name
        source:name[@weights] or an alias. Default: build_network.py of -D.
    n_units
        How many.
    filename
        The file to write.
    seed
        Decides which.
    blacklist
        Files of units that are not drawn.
    scheme
        document: a layer uniformly, then a channel; released: the same with the released code's numbers; uniform:
        every unit with equal chance.
    layers
        Names and patterns of the layers to draw from; default the layers of interest of the network's family.
    directory
        A model directory: everything goes under it.
    pretrained, model_path, device
        Accepted: they decide the model's name; no weights are read.
    axes
        LAYER=channel,height,width for layers whose channel axis the network does not tell, in the order of their axes.
    overwrite
        Replace a file that holds other units.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._units_run import Place, run_sample

    place = Place(directory, model_name, pretrained, model_path, device, axes)
    summary = run_sample(place, n_units, filename, seed, blacklist or [], scheme, layers, overwrite)
    print_json(summary.tables) if json else print("\n".join(summary.lines))


@app.command
def split(
    n: int,
    /,
    *,
    units_file: UnitsFile,
    model_name: OptionalModel = None,
    directory: Directory = None,
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Deal a list of units to N jobs, narrow layers first, as {stem}_0.json to {stem}_{N-1}.json beside it.

    Example: beholder units split 4 --units_file units.json

    Parameters
    ----------
    n
        Number of lists.
    units_file
        The list to deal.
    model_name
        The model; default the one that the list names.
    directory
        A model directory, where the list lies.
    pretrained, model_path, device
        Accepted, without effect: no weights are read.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._units_run import Place, run_split

    summary = run_split(Place(directory, model_name, pretrained, model_path, device), n, units_file)
    print_json(summary.tables) if json else print("\n".join(summary.lines))


@app.command
def record(
    *,
    model_name: OptionalModel = None,
    units_file: OptionalUnits = None,
    layers: Layers = None,
    in_path: InPath = "./images/",
    out_path: OptionalOut = None,
    directory: Directory = None,
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    device: Device = "auto",
    batch_size: BatchSize = None,
    image_set: str | None = None,
    layout: Literal["flat", "classes"] | None = None,
    fraction: Annotated[float | None, Parameter(name=["--fraction", "-f"])] = None,
    balanced: bool = False,
    skip_bad: bool = False,
    things: Annotated[bool, Parameter(name=["--things", "-t"])] = False,
    things_behavior: bool = False,
    labels: str | None = None,
    targets: str | None = None,
    draft: bool = False,
    dtype: Literal["float32", "float16"] = "float32",
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    workers: int = 1,
    threads: int | None = None,
    axes: Axes = None,
    rnd_seed: Seed = 42,
    append: bool = False,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Record the mean activation of every stimulus at the layers of interest, in one pass, with class accuracy.

    Example: beholder units record --model_name squeezenet1_1 --units_file units.json --in_path images/

    Parameters
    ----------
    model_name
        source:name[@weights] or an alias; default the model that the units file names.
    units_file
        Record only the layers of these units, with all their channels.
    layers
        Names and patterns instead; default the layers of interest of the network's family.
    in_path
        Folder of pictures or sounds, a .csv table, or an HDF5 file of pictures.
    out_path
        Folder for the store; default ./activations/.
    directory
        A model directory: everything goes under it.
    pretrained
        Download published weights if they are not here.
    model_path
        Read weights from this file or folder instead.
    device
        auto, cpu, cuda, cuda:N or mps.
    batch_size
        Stimuli in one forward pass; default chosen from the work's size.
    image_set
        A named set: imagenet-val, whose folder --in_path is, or one that beholder assets fetches.
    layout
        How to read a folder that holds pictures both beside and inside sub-folders.
    fraction
        Keep int(N x fraction) stimuli, drawn by the seed.
    balanced
        Draw the same share of every class.
    skip_bad
        Leave out files that cannot be read.
    things
        Pictures are from THINGS: check them against things_concepts.tsv.
    things_behavior
        A flat folder of THINGS pictures in the order of item_names.tsv.
    labels
        File of class names (a line each): class accuracy of a CLIP model by zero-shot logits, the layer zero_shot.
    targets
        File of the stimuli's true classes (an index a line, in order): class accuracy where folders do not tell.
    draft
        Decode JPEGs at reduced size: faster, but changes pixels.
    dtype
        Stored numbers.
    precision
        Computed numbers.
    workers
        Processes; does not change a byte.
    threads
        Cores to use; default all.
    axes
        LAYER=channel,height,width for layers whose channel axis the network does not tell, in the order of their axes.
    rnd_seed
        Seed of --fraction, and of the weights of a model that ends in @random.
    append
        Add stimuli that the store does not hold yet.
    overwrite
        Replace an existing store.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._units_run import Place, StimulusFlags, run_record

    place = Place(directory, model_name, pretrained, model_path, device, axes, rnd_seed)
    flags = StimulusFlags(
        in_path, image_set, layout, fraction, balanced, skip_bad, rnd_seed, things, things_behavior, targets
    )
    options = {
        "batch_size": batch_size, "dtype": dtype, "precision": precision, "workers": workers, "threads": threads,
        "seed": rnd_seed, "append": append, "overwrite": overwrite,
    }  # fmt: skip
    summary = run_record(place, flags, units_file, layers, out_path, options, labels=labels, draft=draft)
    print_json(summary.tables) if json else print("\n".join(summary.lines))


@app.command
def exemplars(
    *,
    units_file: UnitsFile,
    model_name: OptionalModel = None,
    start_min: int | None = None,
    stop_min: int | None = None,
    start_max: int | None = None,
    stop_max: int | None = None,
    percentile: Annotated[list[float] | None, Parameter(consume_multiple=True)] = None,
    num_batches: int = 11,
    scheme: Literal["document", "released"] = "document",
    seed: Seed = 42,
    activations: str | None = None,
    in_path: OptionalIn = None,
    out_path: OptionalOut = None,
    extra_name: str = "",
    directory: Directory = None,
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    device: Device = "auto",
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Write the natural stimuli that drive units most and least, in batches of nine references and one query.

    Example: beholder units exemplars --model_name squeezenet1_1 --units_file units.json --percentile 10 90

    Parameters
    ----------
    units_file
        The units.
    model_name
        The model; default the one that the units file names.
    start_min, stop_min
        Ranks, in ascending order of activation and half-open, of the queries that drive the unit little; one
        defaults from the other.
    start_max, stop_max
        Ranks of the queries that drive it much.
    percentile
        Two numbers instead: the windows begin at the first and end at the second per cent of the stimuli.
    num_batches
        Batches, and queries per sign.
    scheme
        document: each unit draws its own numbers; released: one stream for all, as in the released code.
    seed
        Decides which references meet which query.
    activations
        The recording; default ./activations/{model}.mean.zarr.
    in_path
        Where the recorded stimuli lie now; default where they were recorded.
    out_path
        Folder for all models' stimuli; default ./stimuli/.
    extra_name
        Appended to the model's folder as {model}_{extra_name}.
    directory
        A model directory: everything is found in it and goes under it.
    pretrained, model_path, device
        Accepted: they decide the model's name; no weights are read.
    workers
        Processes; does not change a byte.
    threads
        Cores to use; default all.
    overwrite
        Replace exemplars that were made otherwise.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._units_run import Place, run_exemplars

    place = Place(directory, model_name, pretrained, model_path, device)
    windows = {
        "start_min": start_min, "stop_min": stop_min, "start_max": start_max, "stop_max": stop_max,
        "percentile": percentile, "num_batches": num_batches, "scheme": scheme, "seed": seed,
    }  # fmt: skip
    files = {"extra_name": extra_name, "workers": workers, "threads": threads, "overwrite": overwrite}
    summary = run_exemplars(place, units_file, windows, activations, in_path, out_path, files)
    print_json(summary.tables) if json else print("\n".join(summary.lines))
