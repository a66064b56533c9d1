"""Recording: what every channel of the layers of interest does over a stimulus set, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import check_output_folder
from beholder._core.seeds import DEFAULT_SEED
from beholder.activations import Activations, extract, sort_layers
from beholder.jobs import long_work
from beholder.models import Model, Unit, UnitList, as_model, load_model
from beholder.stimuli import Exposure, StimulusSet
from beholder.units._layers import list_unit_layers

OUTPUT = "output"


@suggest_keywords
@long_work
def record_units(
    model: Model | str | Any,
    stimuli: StimulusSet | Path | str | Any,
    units: UnitList | Unit | Iterable[Unit | str] | Path | str | None = None,
    *,
    layers: Sequence[str] | None = None,
    output: str = OUTPUT,
    out_path: Path | str = "activations",
    device: str | None = None,
    name: str | None = None,
    pool: Literal["mean"] = "mean",
    batch_size: int | None = None,
    dtype: str = "float32",
    precision: str = "fp32",
    workers: int = 1,
    threads: int | None = None,
    replicates: int = 1,
    exposure: Exposure | None = None,
    flatten: bool = False,
    reduce_to: int | None = None,
    seed: int = DEFAULT_SEED,
    append: bool = False,
    overwrite: bool = False,
    pool_tokens: bool = False,
    axes: Mapping[str, Sequence[str]] | None = None,
    compile: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Activations:
    """Record the mean activation, over space or tokens, of every stimulus at the layers of interest, in one pass.

    The network's output is recorded too, for :func:`measure_accuracy`. Interrupted at any moment, the same call
    completes the store to the same bytes; more layers may be added later.

    Parameters
    ----------
    model : Model, nn.Module or str
        The observer.
    stimuli : StimulusSet, or whatever holds stimuli
        Pictures or sounds.
    units : UnitList, Unit or str ``"layer:channel"``, several, or path, optional
        Record only the layers of these units, with all their channels.
    layers : sequence of str, optional
        Names, patterns, presets and taps instead; default the layers of interest of the network's family.
    output : str
        Layer of the network's answers, recorded with the others.
    out_path : path
        Folder of the store ``{model}.mean.zarr``.
    pool : {"mean"}
        What a unit's value is; for others, :func:`beholder.extract`.
    device, name, batch_size, dtype, precision, workers, threads, replicates, exposure, flatten, reduce_to, seed
        As for :func:`beholder.extract`.
    append, overwrite, pool_tokens, axes, compile
        As for :func:`beholder.extract`.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    Activations
        Each layer (n_stimuli, 1, n_channels).

    Raises
    ------
    InputError
        A layer or unit that the model does not have; and as :func:`beholder.extract`.

    Examples
    --------
    >>> import beholder as bh
    >>> acts = bh.record_units("beholder:shapes", "images", ["block3:5", "block3:7"], device="cpu")
    >>> acts["block3"].to_numpy().shape
    (32, 96)
    """
    if pool != "mean":
        raise InputError("units, whose value is the mean over space or tokens", got="pool", hint="extract")
    if units is not None and layers is not None:
        raise InputError("units or layers", got="both", hint="layers alone")
    check_output_folder(out_path)
    observer = as_model(load_model(model, device=device or "auto", seed=seed) if isinstance(model, str) else model)
    observer = observer.with_axes(axes or {})
    names = list(layers) if layers is not None else find_record_layers(observer, units)
    return extract(
        observer, stimuli, [*names, *([] if output in names else [output])],
        out_path=out_path, pool=pool, device=device, name=name, batch_size=batch_size, dtype=dtype,
        precision=precision, workers=workers, threads=threads, replicates=replicates, exposure=exposure,
        flatten=flatten, reduce_to=reduce_to, seed=seed, append=append, overwrite=overwrite, pool_tokens=pool_tokens,
        compile=compile,
    )  # fmt: skip


def find_record_layers(model: Model, units: UnitList | Unit | Iterable[Unit | str] | Path | str | None) -> list[str]:
    """Layers of some units, or the layers of interest of a model's family, in the network's order."""
    if units is None:
        return list(list_unit_layers(model))
    asked = UnitList.collect(units, model)
    if not len(asked):
        raise InputError("at least one unit", got="an empty list")
    check_channels(asked, list_unit_layers(model, asked.layers))
    return sort_layers(model, asked.layers)


def check_channels(units: UnitList, widths: dict[str, int]) -> None:
    """Refuse units whose channels their layers do not have."""
    for unit in units:
        width = widths[unit.layer]
        if unit.channel >= width:
            raise InputError(f"a channel of {unit.layer!r} from 0 to {width - 1}", got=str(unit.channel))
