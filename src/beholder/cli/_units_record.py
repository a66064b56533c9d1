"""``beholder units record`` and ``exemplars``: units' answers to stimuli, and the stimuli that drive them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from cyclopts import Parameter

from beholder._core.addresses import show_place
from beholder._core.errors import InputError
from beholder._core.files import read_units_file
from beholder._core.wording import format_count
from beholder.cli._flags import (
    AxesFlags,
    Layers,
    LongFlags,
    ModelWord,
    OptionalInPaths,
    OptionalOut,
    OptionalUnits,
    OutputFlags,
    Seed,
    StimulusFlags,
    StoreFlags,
    Words,
    WorkFlags,
    flags,
)
from beholder.cli._model_flags import ModelFlags, SkeletonFlags

if TYPE_CHECKING:
    from beholder.activations import Activations
    from beholder.models import UnitList
    from beholder.units import Accuracy, Exemplars


def record(
    word: ModelWord = None,
    /,
    *,
    model: ModelFlags = ModelFlags(),
    units_file: OptionalUnits = None,
    layers: Layers = None,
    stimuli: StimulusFlags = StimulusFlags(),
    targets: str | None = None,
    labels: str | None = None,
    draft: bool = False,
    out_path: OptionalOut = None,
    axes: AxesFlags = AxesFlags(),
    store: StoreFlags = StoreFlags(),
    long: LongFlags = LongFlags(),
    rnd_seed: Seed = 42,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Record the mean activation of every stimulus at the layers of interest, in one pass, with class accuracy.

    Example: beholder stimuli draw shapes
    Example: beholder units record beholder:shapes --layers block3
    Example: beholder units sample beholder:shapes --n_units 2
    Example: beholder units record beholder:shapes --units_file units.json --out_path recorded

    Parameters
    ----------
    model.directory
        A model directory: everything goes under it.
    units_file
        Record only the layers of these units, with all their channels.
    layers
        Names and patterns of layers, in place of --units_file; default the layers of interest of the network's family.
    targets
        File of the stimuli's true classes (an index a line, in order): class accuracy where folders do not tell.
    labels
        File of class names (a line each): class accuracy of a CLIP model by zero-shot logits, the layer zero_shot.
    draft
        Decode JPEGs at reduced size: faster, but changes pixels.
    out_path
        Folder for the store; default ./activations/.
    rnd_seed
        Seed of --fraction, and of the weights of a network whose name ends in @random.
    """
    model = model.take_word(word)
    path = _find_units(model, units_file, layers)
    model.name_model(path)
    stimuli.refuse_missing()
    from beholder.models import ZERO_SHOT, UnitList, use_draft, use_labels
    from beholder.stimuli import read_targets
    from beholder.units import measure_accuracy, record_units

    found = stimuli.read(targets if stimuli.image_set else None)
    own = read_targets(targets, len(found)) if targets and not stimuli.image_set else None
    known = None if own is None else dict(zip(found.ids, own, strict=True))
    network = model.load(path, axes, rnd_seed)
    network = use_draft(network) if draft else network
    network = use_labels(network, labels) if labels else network
    acts = record_units(
        network, stimuli.choose(found, rnd_seed), UnitList.read(path, network) if path else None, layers=layers,
        output=ZERO_SHOT if labels else "output", out_path=model.join(out_path or "activations"), seed=rnd_seed,
        **vars(store), **vars(long),
    )  # fmt: skip
    _print_recording(acts, measure_accuracy(acts, ZERO_SHOT if labels else "output", known), output)


def _find_units(model: ModelFlags, units_file: str | None, layers: list[str] | None) -> Path | None:
    """The file of units, which is JSON."""
    if units_file is None:
        return None
    if layers is not None:
        raise InputError("--units_file or --layers", got="both", hint="--layers alone")
    read_units_file(path := model.find(units_file))
    return path


def _list_top(found: Exemplars) -> Iterator[str]:
    """Of each unit the stimuli that drive it most, and least, the most extreme first, with their activations."""
    for i, unit in enumerate(found.units):
        yield f"{unit} of {found.model}, {format_count(found.windows.n_stimuli, 'stimulus')}"
        for sign, word in ((1, "most"), (0, "least")):
            pairs = zip(found.positions[i, sign, 0, ::-1], found.activations[i, sign, 0, ::-1], strict=True)
            yield f"  {word}: " + ", ".join(f"{found.acts.stimulus_ids[row]} ({value:.4g})" for row, value in pairs)


def _print_recording(acts: Activations, accuracy: Accuracy | None, output: OutputFlags) -> None:
    from beholder.models import ZERO_SHOT

    told = str(accuracy) if accuracy else "not reported, since the stimuli's classes are not the network's outputs"
    rows = [{"layer": name, "n_channels": acts[name].shape[-1]} for name in acts.layers]
    n_units = sum(row["n_channels"] for row in rows if row["layer"] not in ("output", ZERO_SHOT))
    lines = [
        f"{format_count(len(acts.stimulus_ids), 'stimulus')}, "
        f"{format_count(len(acts.layers), 'layer')}, {format_count(n_units, 'unit')}",
        f"class accuracy: {told}",
        show_place(acts.path),
    ]
    store = {"model": acts.model, "path": show_place(acts.path), "n_stimuli": len(acts.stimulus_ids)}
    output.print(lines, {"store": [store], "layers": rows, "accuracy": [asdict(accuracy)] if accuracy else []})


@flags
class _WindowFlags:
    start_min: int | None = None
    """First rank, from 0 in ascending order of activation, of the queries that drive the unit little. Of a start and
    its stop, one follows from the other."""
    stop_min: int | None = None
    """The rank after the last of these."""
    start_max: int | None = None
    """First rank of the queries that drive it much."""
    stop_max: int | None = None
    """The rank after the last of these."""
    percentile: Annotated[list[float] | None, Parameter(consume_multiple=True)] = None
    """Two numbers in place of ranks: the window of the queries that drive it little begins at the first per cent of the
    stimuli, and the other ends at the second."""
    num_batches: int | None = None
    """Batches, each with one query of each sign; default 11."""
    scheme: Literal["document", "released"] = "document"
    """document: each unit draws its own numbers, by the text of Stimuli Generation; released: one stream for all, as in
    the code that was released with it."""
    seed: Seed = 42
    """Seed of the draw of which references meet which query."""
    top: int | None = None
    """For a look, without batches and queries: this many stimuli that drive a unit most, and as many that drive it
    least."""


def exemplars(
    word: ModelWord = None,
    /,
    *,
    units_file: OptionalUnits = None,
    unit: Words = None,
    model: SkeletonFlags = SkeletonFlags(),
    windows: _WindowFlags = _WindowFlags(),
    activations: str | None = None,
    in_path: OptionalInPaths = None,
    out_path: OptionalOut = None,
    extra_name: str = "",
    work: WorkFlags = WorkFlags(),
    long: LongFlags = LongFlags(),
    overwrite: bool = False,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Write the natural stimuli that drive units most and least: a few, or batches of nine references and one query.

    Example: beholder stimuli draw shapes
    Example: beholder units record beholder:shapes --layers block3
    Example: beholder units exemplars beholder:shapes --unit block3:5 --top 9
    Example: beholder units sample beholder:shapes --layers block3 --n_units 2
    Example: beholder units exemplars beholder:shapes --units_file units.json --num_batches 2

    Parameters
    ----------
    units_file
        File of the units, as beholder units sample writes it.
    unit
        Units in place of the file, LAYER:CHANNEL as they are printed: features.12:5.
    model.model_name
        The network, in place of the first word; default the one that the units file names, or that of the one recording
        which holds the units' layers.
    activations
        The recording, or any store that holds the layers; default ./activations/{model}.mean.zarr, or {model}.zarr.
    in_path
        Where the recorded stimuli lie now: a folder, or files; default where they were recorded.
    out_path
        Folder for all networks' stimuli; default ./stimuli/.
    extra_name
        Appended to the network's folder as {model}_{extra_name}; with --top 9 default top9.
    overwrite
        Replace exemplars that were made otherwise.
    """
    model = model.take_word(word)
    from beholder.activations import Activations
    from beholder.models import UnitList
    from beholder.units import find_exemplars, write_exemplars

    if (units_file is None) == (unit is None):
        raise InputError("--units_file FILE or --unit LAYER:CHANNEL", got="none" if unit is None else "both")
    asked = UnitList(tuple(unit)) if unit else model.find(units_file or "")  # pyright: ignore[reportArgumentType]
    store = _find_recording(model, activations, asked)
    found = find_exemplars(Activations(store), asked, **vars(windows))
    where = None if in_path is None else in_path[0] if len(in_path) == 1 else list(in_path)
    extra_name = extra_name or (f"top{windows.top}" if windows.top else "")
    folder = write_exemplars(
        found, model.join(out_path or "stimuli"), stimuli=where, extra_name=extra_name, overwrite=overwrite,
        **vars(work), **vars(long),
    )  # fmt: skip
    rows = [{**asdict(one), "folder": str(folder / one.path_name / "natural_images")} for one in found.units]
    skipped = [{**asdict(one), "reason": reason} for one, reason in found.skipped]
    tables: dict[str, Any] = {"exemplars": rows, "skipped": skipped, "windows": [found.windows.to_dict()]}
    if windows.top:
        tables["stimuli"] = found.to_pandas().to_dict("records")
    output.print([*_describe(found), str(folder)], tables)


def _find_recording(model: SkeletonFlags, activations: str | None, asked: UnitList | Path) -> Path:
    """The recording that a flag names, the model's own, or the only one that holds the layers of units."""
    from beholder.units import find_recording

    path = asked if isinstance(asked, Path) else None
    if not (activations or path or model.model_name or model.directory):
        return find_recording(model.join("activations"), cast("UnitList", asked).layers)
    store = model.find_recording(activations, lambda: model.find_path_name(path))
    whole = store.with_name(store.name.removesuffix(".mean.zarr") + ".zarr")
    if not activations and not store.exists() and whole.exists():
        return whole
    if not store.exists():
        hint = "`beholder units record` first, or --activations"
        raise InputError("a recording", got=f"nothing at {store}", hint=hint)
    return store


def _describe(found: Exemplars) -> Iterator[str]:
    w = found.windows
    if w.top is not None:
        yield from _list_top(found)
    else:
        yield f"{format_count(len(found), 'unit')}, {w.num_batches} batches of 2 x 10 stimuli each, of {w.n_stimuli}"
        yield f"queries from ranks {w.start_min} to {w.stop_min - 1} and {w.start_max} to {w.stop_max - 1}"
    yield from (f"skipped {unit}: {reason}" for unit, reason in found.skipped)
