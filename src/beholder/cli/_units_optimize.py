"""``beholder units optimize``: what it does with its flags, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder._core.files import read_json
from beholder.cli._options import (
    Axes,
    BatchSize,
    Device,
    Directory,
    Json,
    ModelPath,
    OptionalModel,
    OptionalOut,
    Pretrained,
    Seed,
    UnitsFile,
    print_json,
)
from beholder.cli._units_run import Place, StimulusFlags, Summary

if TYPE_CHECKING:
    import numpy as np

    from beholder.models import Model, UnitList
    from beholder.stimuli import StimulusSet
    from beholder.synthesis import Visualizations

_MOST_LINES = 12
_MOST_PICTURES = 500


def optimize(
    *,
    units_file: UnitsFile,
    model_name: OptionalModel = None,
    n_images: Annotated[int, Parameter(name=["--n-images", "--num-images"])] = 10,
    steps: int = 64,
    no_diversity: bool = False,
    diversity: float | None = None,
    max_loops: int = 2,
    learning_rate: float | None = None,
    parameterization: Literal["fourier", "phase", "pixels"] = "fourier",
    transparency: bool = False,
    seed: Seed = 42,
    activations: str | None = None,
    no_recording: bool = False,
    in_path: Annotated[str | None, Parameter(name=["--in-path", "-ip"])] = None,
    out_path: OptionalOut = None,
    skipped_units_file: str | None = None,
    directory: Directory = None,
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    device: Device = "auto",
    input_shape: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    batch_size: BatchSize = None,
    workers: int = 1,
    threads: int | None = None,
    axes: Axes = None,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Make stimuli that drive units most and least, and place them on the distribution of natural stimuli.

    Example: beholder units optimize --model_name squeezenet1_1 --units_file units.json

    Parameters
    ----------
    units_file
        The units.
    model_name
        source:name[@weights] or an alias; default the model that the units file names.
    n_images
        Images a unit and sign, from weakest to strongest.
    steps
        Steps of the optimiser.
    no_diversity
        Make all images without the term that makes them differ.
    diversity
        A fixed factor of that term instead of a search.
    max_loops
        Bisections of the search.
    learning_rate
        Of the optimiser; default what suits the parameterisation.
    parameterization
        fourier; phase: only phases are learned, magnitudes are those of natural pictures; pixels.
    transparency
        Write where the optimiser worked beside each picture; with phase it always is.
    seed
        Decides everything random, the weights of a model that ends in @random too.
    activations
        The recording; default ./activations/{model}.mean.zarr, if there is one.
    no_recording
        Compare with no natural stimuli.
    in_path
        Natural stimuli to record first; with phase, whose magnitudes are taken.
    out_path
        Folder for all models' stimuli; default ./stimuli/.
    skipped_units_file
        Write the units whose weakest image made without diversity does not beat the natural stimuli to this file.
    directory
        A model directory: everything is found in it and goes under it.
    pretrained
        Download published weights if they are not here.
    model_path
        Read weights from this file or folder instead.
    device
        auto, cpu, cuda, cuda:N or mps.
    input_shape
        Of one stimulus, for a network that takes any: --input_shape 3 224 224.
    batch_size
        Images in a batch that units share; default 64, on the CPU a batch for each unit, sign and strength.
    workers
        Processes; does not change a byte.
    threads
        Cores to use; default all.
    axes
        LAYER=channel,height,width for layers whose channel axis the network does not tell, in the order of their axes.
    overwrite
        Replace stimuli that were made otherwise.
    json
        Print one JSON document to stdout.
    """
    if no_diversity and diversity is not None:
        raise InputError("--no_diversity or --diversity", got="both")
    place = Place(directory, model_name, pretrained, model_path, device, axes, seed)
    options = {
        "n_images": n_images, "steps": steps, "diversity": 0.0 if no_diversity else diversity, "max_loops": max_loops,
        "learning_rate": learning_rate, "parameterization": parameterization, "transparency": transparency or None,
        "seed": seed, "batch_size": batch_size, "workers": workers, "threads": threads, "overwrite": overwrite,
    }  # fmt: skip
    summary = run_optimize(
        place, units_file, skipped_units_file, activations, no_recording, in_path, out_path, input_shape, options
    )
    print_json(summary.tables) if json else print("\n".join(summary.lines))


def run_optimize(
    place: Place,
    units_file: str,
    skipped_units_file: str | None,
    activations: str | None,
    no_recording: bool,
    in_path: str | None,
    out_path: str | None,
    input_shape: list[int] | None,
    options: Mapping[str, Any],
) -> Summary:
    """Record if asked to, then make the stimuli of units."""
    from beholder.models import UnitList
    from beholder.synthesis import optimize_units

    path = place.find(units_file)
    if no_recording and (activations or in_path):
        raise InputError("--no_recording alone", got="--activations or --in_path beside it")
    read_json(path)
    model = place.load(path)
    units = UnitList.read(path, model)
    store = place.find(activations) if activations else place.join(f"activations/{model.path_name}.mean.zarr")
    stimuli = StimulusFlags(in_path, None, None, None, False, False, options["seed"]).make() if in_path else None
    spectrum = None
    if stimuli is not None:
        _record(model, stimuli, units, store, activations, options)
        spectrum = _compute_spectrum(model, stimuli) if options["parameterization"] == "phase" else None
    elif activations and not store.exists():
        raise InputError("a recording", got=f"nothing at {store}", hint="`beholder units record` first")
    vis = optimize_units(
        model,
        units,
        activations=store if store.exists() and not no_recording else None,
        out_path=place.join(out_path or "stimuli"),
        input_shape=tuple(input_shape) if input_shape else None,
        spectrum=spectrum,
        **options,
    )
    files = [{"file": str(vis.path / "optimized_units.csv")}]
    lines = [*_describe(vis)]
    if skipped_units_file:
        skipped = _write_skipped(vis, units, place.join(skipped_units_file))
        files.append({"file": str(skipped)})
        lines.append(str(skipped))
    lines.append(files[0]["file"])
    return Summary(lines, {"units": list(vis.table), "files": files})


def _record(
    model: Model,
    stimuli: StimulusSet,
    units: UnitList,
    store: Path,
    activations: str | None,
    options: Mapping[str, Any],
) -> None:
    """Record the units' layers into the store, as ``beholder units record`` does."""
    from beholder.units import record_units

    if activations and store.name != f"{model.path_name}.mean.zarr":
        raise InputError(f"--activations ending in {model.path_name}.mean.zarr with --in_path", got=activations)
    shared = {name: options[name] for name in ("workers", "threads", "seed")}
    record_units(model, stimuli, units, out_path=store.parent, **shared)


def _compute_spectrum(model: Model, stimuli: StimulusSet) -> np.ndarray:
    """Magnitudes of the frequencies in the stimuli, of 500 at most."""
    from beholder.models import prepare_stimulus
    from beholder.synthesis import compute_spectrum

    step = max(1, -(-len(stimuli) // _MOST_PICTURES))
    return compute_spectrum(prepare_stimulus(model.preprocessing, stimuli, i) for i in range(0, len(stimuli), step))


def _describe(vis: Visualizations) -> Iterator[str]:
    """A summary for people: counts, then every unit that does not beat the natural stimuli."""
    rows = list(vis.table)
    steps = max(row["steps"] for row in rows)
    yield f"{len(vis)} units of {vis.model}, {rows[0]['n_images']} images a sign, {steps} steps"
    words = {"yes": "beat the best natural stimulus", "no": "fall short of it", "tie": "tie with it"}
    for sign in ("max", "min"):
        verdicts = [row["beats"] for row in rows if row["sign"] == sign]
        counts = [f"{verdicts.count(key)} {word}" for key, word in words.items() if key in verdicts]
        unknown = verdicts.count("unknown")
        yield f"{sign}: " + ", ".join(counts + ([f"{unknown} not compared"] if unknown else []))
    told = [row for row in rows if row["beats"] != "yes" and row["note"] and row["n_natural"] is not None]
    told.sort(key=lambda row: row["beats"] == "tie")
    names = [f"{row['layer']}:{row['channel']}" for row in told]
    width = max((len(name) for name in names[:_MOST_LINES]), default=0)
    for name, row in list(zip(names, told, strict=True))[:_MOST_LINES]:
        yield f"  {name:<{width}}  {row['sign']}  {row['note']}"
    if len(told) > _MOST_LINES:
        yield f"  and {len(told) - _MOST_LINES} more: see the column `note`"


def _write_skipped(vis: Visualizations, units: UnitList, path: Path) -> Path:
    """Units for one of whose signs the weakest image made without diversity does not beat the natural stimuli."""
    from beholder.models import UnitList

    path = path if path.suffix == ".json" else path.with_name(f"{path.name}.json")
    short = {(row["layer"], row["channel"]) for row in vis.table if row["weakest_beats"] in ("no", "tie")}
    return UnitList(tuple(u for u in units if (u.layer, u.channel) in short), units.model, units.seed).save(path)
