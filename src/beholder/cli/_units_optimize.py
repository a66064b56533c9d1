"""``beholder units optimize``: stimuli made to drive units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder._core.files import read_units_file
from beholder._core.wording import format_count
from beholder.cli._flags import (
    AxesFlags,
    BatchSize,
    LongFlags,
    ModelWord,
    OptionalInPaths,
    OptionalOut,
    OutputFlags,
    Seed,
    UnitsFile,
    WorkFlags,
    flags,
    list_files,
    refuse_missing,
)
from beholder.cli._model_flags import ModelFlags

if TYPE_CHECKING:
    import numpy as np

    from beholder.models import Model, UnitList
    from beholder.synthesis import Visualizations

_MOST_LINES = 12
_TABLE = "optimized_units.csv"


@flags
class _OptimizerFlags(WorkFlags):
    n_images: Annotated[int, Parameter(name=["--n-images", "--num-images"])] = 10
    """Images a unit and sign, from weakest to strongest."""
    steps: int = 64
    """Steps of the optimiser."""
    diversity: float | None = None
    """A fixed factor of the term that makes images differ."""
    recipe: Literal["steered", "searched"] | None = None
    """How the factor of that term is found: steered, at each step from the images' activations, in one batch; searched,
    as in the released code, by one batch after the other. Default: that of the folder; searched with --max_loops; else
    steered."""
    max_loops: int | None = None
    """Bisections of --recipe searched; default 2."""
    learning_rate: float | None = None
    """Learning rate of the optimiser; default the one that suits the parameterization."""
    objective: str = "Channel"
    """What images are to have much or little of: Channel, the mean over positions; Neuron, the position in the middle;
    or an objective of another package that a layer and a channel make."""
    parameterization: Literal["fourier", "phase", "pixels"] = "fourier"
    """fourier; phase: only phases are learned, magnitudes are those of natural pictures; pixels."""
    seed: Seed = 42
    """Seed of everything random, also of the weights of a network whose name ends in @random."""
    batch_size: BatchSize = None
    """Images in a batch that units share; default 64, on the CPU a batch for each unit, sign and strength."""
    overwrite: bool = False
    """Replace stimuli that were made otherwise."""


@flags
class _RecordingFlags:
    activations: str | None = None
    """The recording; default ./activations/{model}.mean.zarr, if there is one."""
    no_recording: bool = False
    """Compare with no natural stimuli."""
    in_path: OptionalInPaths = None
    """Natural stimuli to record first; with phase, whose magnitudes are taken."""

    def check(self) -> None:
        """Raise where flags exclude one another."""
        if self.no_recording and (self.activations or self.in_path):
            raise InputError("--no_recording alone", got="--activations or --in_path beside it")

    def pick(self, store: Path) -> Path | None:
        """The recording to compare with; one that was named is there."""
        if self.activations and not store.exists():
            raise InputError("a recording", got=f"nothing at {store}", hint="`beholder units record` first")
        return store if store.exists() and not self.no_recording else None


def optimize(
    word: ModelWord = None,
    /,
    *,
    units_file: UnitsFile,
    model: ModelFlags = ModelFlags(),
    no_diversity: bool = False,
    options: _OptimizerFlags = _OptimizerFlags(),
    transparency: bool = False,
    recording: _RecordingFlags = _RecordingFlags(),
    out_path: OptionalOut = None,
    skipped_units_file: str | None = None,
    input_shape: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    axes: AxesFlags = AxesFlags(),
    long: LongFlags = LongFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """Make stimuli that drive units most and least, and place them on the distribution of natural stimuli.

    Example: beholder stimuli draw shapes
    Example: beholder units sample beholder:shapes --n_units 2
    Example: beholder units record beholder:shapes --units_file units.json
    Example: beholder units optimize beholder:shapes --units_file units.json --n_images 2 --steps 8

    Parameters
    ----------
    units_file
        File of the units, as beholder units sample writes it.
    no_diversity
        Make all images without the term that makes them differ.
    transparency
        Write where the optimiser worked beside each picture; with phase it always is.
    out_path
        Folder for all networks' stimuli; default ./stimuli/.
    skipped_units_file
        Write the units whose weakest image made without diversity does not beat the natural stimuli to this file.
    input_shape
        Shape of one stimulus, for a network that takes any: --input_shape 3 224 224.
    """
    model, options = model.take_word(word), _settle_diversity(options, no_diversity)
    recording.check()
    read_units_file(path := model.find(units_file))
    model.name_model(path)
    refuse_missing(recording.in_path or ())
    from beholder.models import UnitList
    from beholder.synthesis import optimize_units

    network = model.load(path, axes, options.seed)
    units = UnitList.read(path, network)
    store = model.find_recording(recording.activations, lambda: network.path_name)
    spectrum = _record(network, units, store, recording, options, long) if recording.in_path else None
    vis = optimize_units(
        network, units, activations=recording.pick(store), out_path=model.join(out_path or "stimuli"),
        input_shape=tuple(input_shape) if input_shape else None, spectrum=spectrum,
        transparency=transparency or None, **vars(options), **vars(long),
    )  # fmt: skip
    skipped = [_write_skipped(vis, units, model.join(skipped_units_file))] if skipped_units_file else []
    _print(vis, skipped, output)


def _settle_diversity(options: _OptimizerFlags, no_diversity: bool) -> _OptimizerFlags:
    if no_diversity and options.diversity is not None:
        raise InputError("--no_diversity or --diversity", got="both")
    return replace(options, diversity=0.0) if no_diversity else options


def _record(
    model: Model, units: UnitList, store: Path, recording: _RecordingFlags, options: _OptimizerFlags, long: LongFlags
) -> np.ndarray | None:
    """Record the units' layers into the store, as ``beholder units record`` does; for phases, measure magnitudes."""
    from beholder.jobs import make_first
    from beholder.stimuli import read_stimuli
    from beholder.synthesis import measure_spectrum
    from beholder.units import record_units

    if recording.activations and store.name != f"{model.path_name}.mean.zarr":
        expected = f"--activations ending in {model.path_name}.mean.zarr with --in_path"
        raise InputError(expected, got=recording.activations)
    stimuli = read_stimuli(recording.in_path or ())
    shared = {"workers": options.workers, "threads": options.threads, "seed": options.seed}
    with make_first():
        record_units(model, stimuli, units, out_path=store.parent, **shared, **vars(long))
    return measure_spectrum(model, stimuli) if options.parameterization == "phase" else None


def _print(vis: Visualizations, skipped: Sequence[Path], output: OutputFlags) -> None:
    tables = {"units": vis.table, "files": list_files((vis.path / _TABLE, *skipped))}
    output.print([*_describe(vis), *map(str, skipped), str(vis.path / _TABLE)], tables)


def _describe(vis: Visualizations) -> Iterator[str]:
    """A summary for people: counts, then every unit that does not beat the natural stimuli."""
    rows = list(vis.table)
    steps = max(row["steps"] for row in rows)
    yield (
        f"{format_count(len(vis), 'unit')} of {vis.model}, "
        f"{format_count(rows[0]['n_images'], 'image')} a sign, {steps} steps"
    )
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
