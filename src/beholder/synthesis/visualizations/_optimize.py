"""Visualising units: planning, checking what is there, running, and the table of all units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import check_output_folder, explain_write_errors, to_path_name, write_bytes
from beholder._core.progress import logger, tell
from beholder._core.provenance import FILE_NAME, find_network, refuse_other_network
from beholder._core.seeds import DEFAULT_SEED
from beholder.activations import Activations, iter_unit_values
from beholder.jobs import JobFolder, Plan, long_work, open_output, place_output
from beholder.models import (
    Model,
    Unit,
    UnitList,
    check_folder_names,
    describe_preprocessing,
    list_identities,
    open_model,
    run_eagerly,
)
from beholder.synthesis.engine._loop import Recipe
from beholder.synthesis.engine._session import count_cores
from beholder.synthesis.engine._validate import (
    check_gradient,
    check_tensors,
    find_input_shape,
    make_example,
    settle_layout,
)
from beholder.synthesis.gradients._network import Network
from beholder.synthesis.objectives._of_units import USUAL, make_unit_objective
from beholder.synthesis.objectives._units import Channel
from beholder.synthesis.visualizations._files import FOLDER, TABLE, TABLE_COLUMNS, Row, format_table
from beholder.synthesis.visualizations._group import count_most_steps
from beholder.synthesis.visualizations._plan import (
    RECIPES,
    VisualizationOptions,
    make_shards,
    make_unit_recipe,
    plan_groups,
    resolve_settings,
    settle_recipe,
)
from beholder.synthesis.visualizations._read import Visualizations
from beholder.synthesis.visualizations._standing import SIGNS, NaturalDistribution
from beholder.synthesis.visualizations._worker import UnitWorker

AUTO = "auto"


@suggest_keywords
@long_work
def optimize_units(
    model: Model | nn.Module | str,
    units: UnitList | Unit | Iterable[Unit | str] | Path | str,
    n_images: int = 10,
    *,
    activations: Activations | Path | str | None = AUTO,
    out_path: Path | str = "stimuli",
    device: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    steps: int = 64,
    diversity: float | None = None,
    recipe: str | None = None,
    max_loops: int | None = None,
    learning_rate: float | None = None,
    objective: str = USUAL,
    parameterization: str = "fourier",
    spectrum: Any = None,
    transparency: bool | None = None,
    seed: int = DEFAULT_SEED,
    batch_size: int | None = None,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Visualizations:
    """Make stimuli that drive units most and least, and place them on the distribution of natural stimuli.

    For each unit and sign, images are made without and with a term that makes them differ (:class:`Diversity`), as
    strong as it may be while every image strictly beats the most extreme natural stimulus. The strongest image is the
    best of those made without the term, the others are those made with it. Written as
    ``{model}/{layer}/channel_{c}/optimized_images/{min,max}_{0..n-1}.png``, weakest
    to strongest, with a ``manifest.csv``; the table of all units is ``{model}/optimized_units.csv``. Interrupted at any
    moment, the same call completes the folder to the same bytes; more units may be added later.

    Parameters
    ----------
    model : Model, nn.Module or str
        The observer.
    units : UnitList, Unit or str ``"layer:channel"``, several, or path
        What to visualise.
    n_images : int
        Images a unit and sign.
    activations : Activations or path, optional
        The recording that holds the units' layers, as :func:`beholder.record_units` makes it. ``"auto"``:
        ``activations/{model}.mean.zarr``, if there is one. None: none; then nothing is said about natural stimuli, and
        the yardstick for diversity is half-way from a blank stimulus to the strongest image.
    out_path : path
        Folder for all models' stimuli.
    device : str, optional
        As for :func:`beholder.extract`.
    input_shape : tuple of int, optional
        Of one stimulus, for a model that takes any.
    steps : int
        Steps of the optimiser.
    diversity : float, optional
        A fixed factor of the term; 0 for none.
    recipe : {"steered", "searched"}, optional
        How strong the term is. ``steered``: at each step as strong as the images' activations bear, in one batch.
        ``searched``: one factor for all, as in the released code: 1, 10, ... 100,000 as long as the weakest image beats
        the most extreme natural stimulus, then bisections, each a batch of its own. Default: that of what the folder
        holds; ``searched`` with ``max_loops``, else ``steered``.
    max_loops : int, optional
        Bisections of ``searched``. Default: 2.
    learning_rate : float, optional
        Of Adam. Default: 0.1, for phases 0.3, for sounds 0.01, for other arrays what :func:`synthesize` takes.
    objective : str
        What images are to have much or little of, by its name in :data:`OBJECTIVES`: ``Channel``, the mean over
        positions; ``Neuron``, the position in the middle; or another that a layer and a channel make
        (:func:`list_unit_objectives`). What counts beside natural stimuli is always the unit's activation, as recorded.
    parameterization : {"fourier", "phase", "pixels"}
        Of pictures. ``phase``: only the phases are learned (:class:`PhaseOnly`); where the gradient went is
        written beside each picture as ``transparency/{min,max}_{k}.png``.
    spectrum : array, optional
        Magnitudes for ``phase``, as :func:`compute_spectrum` gives them; default 1 / f.
    transparency : bool, optional
        Write it; default for ``phase`` only.
    batch_size : int, optional
        Images in a batch that units, signs and strengths share. Default: on the CPU each has a batch of its own,
        which is no slower and makes pictures independent of the company to the last bit; elsewhere 64.
    seed, workers, threads, overwrite
        As for :func:`beholder.extract`.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    Visualizations

    Raises
    ------
    InputError
        A unit that the model or the recording does not have; a model that no gradient runs through.
    ConfigurationChanged
        The folder holds visualisations that were made with other settings.

    Notes
    -----
    Source: Zimmermann, Klein and Brendel (2023), "Scale alone does not improve mechanistic interpretability in vision
    models", and its released code; Olah, Mordvintsev and Schubert (2017), "Feature visualization".

    Examples
    --------
    >>> import beholder as bh
    >>> made = bh.optimize_units("beholder:shapes", "block3:5", n_images=1, steps=2, activations=None, diversity=0)
    >>> made.images.shape
    (1, 2, 1, 3, 224, 224)
    """
    chosen = VisualizationOptions(
        n_images=n_images, steps=steps, diversity=diversity, recipe=recipe, max_loops=max_loops,
        learning_rate=learning_rate, objective=objective, parameterization=parameterization, spectrum=spectrum,
        transparency=transparency, seed=seed, batch_size=batch_size, workers=workers, threads=threads,
        overwrite=overwrite,
    )  # fmt: skip
    chosen.check()
    check_output_folder(out_path)
    observer = open_model(model, device, chosen.seed)
    asked = UnitList.collect(units, observer)
    if not len(asked):
        raise InputError("at least one unit", got="an empty list")
    if observer.input_shape is None and input_shape is None:
        raise InputError(
            "the shape of one stimulus", got=f"{observer.name}, which takes any", hint="--input_shape 3 224 224"
        )
    shape = find_input_shape(observer, input_shape)
    engine = make_unit_recipe(observer, shape, chosen)
    check_folder_names(asked)
    _check_units(observer, asked, shape, chosen.objective)
    acts = _open_recording(activations, observer)
    if acts is not None:
        _read_naturals(acts, asked)
    output = Path(out_path) / to_path_name(observer.path_name)
    output = place_output(output, output / FILE_NAME)
    _run(observer, asked, engine, acts, output, chosen)
    return Visualizations.open(output, asked)


def _check_units(model: Model, units: UnitList, shape: tuple[int, ...], objective: str) -> None:
    """Look at the model and every unit before hours of work."""
    check_tensors(model)
    example = make_example(model, shape)
    with run_eagerly():
        network = Network(model, units.layers, example)
        for layer in units.layers:
            check_gradient(network, (layer,), example)
            with torch.no_grad():
                (view,) = network.run(example, [1], (layer,), {}).views()
                for unit in units:
                    if unit.layer == layer:
                        Channel(layer, unit.channel).score(view)
                        make_unit_objective(objective, unit).score(view)


def _open_recording(activations: Activations | Path | str | None, model: Model) -> Activations | None:
    acts: Activations | None = None
    if isinstance(activations, Activations):
        acts = activations
    elif activations is not None:
        path = (
            Path("activations") / f"{to_path_name(model.path_name)}.mean.zarr" if activations == AUTO else activations
        )
        acts = None if activations == AUTO and not Path(path).exists() else Activations(path)
    if acts is None:
        logger.warning("no recording: the images are not compared with natural stimuli (`beholder units record` first)")
    else:
        _check_recording(acts, model)
    return acts


def _check_recording(acts: Activations, model: Model) -> None:
    """Refuse a recording of another network, or of other values than a unit's."""
    if acts.model != model.name:
        raise InputError(
            f"a recording of {model.name}", got=f"{acts.path}, of {acts.model}",
            hint="`beholder units record` with this model",
        )  # fmt: skip
    if find_network(acts.attributes) not in list_identities(model):
        raise InputError(
            f"a recording of {model.name} as it is now", got=f"{acts.path}, of other weights, code or hooks, or of "
            "an earlier version that did not note them", hint="`beholder units record --overwrite` with this model",
        )  # fmt: skip
    settings = acts.attributes.get("settings") or {}
    if settings.get("pool", "mean") not in ("none", "mean"):
        raise InputError("a recording of means over space or tokens", got=f"{acts.path}, pooled by {settings['pool']}")
    if settings.get("preprocessing", described := describe_preprocessing(model)) != described:
        raise InputError(
            f"a recording with the preprocessing of {model.name}", got=f"{acts.path}, made with another",
            hint="`beholder units record` with this model",
        )  # fmt: skip


def _read_naturals(acts: Activations, units: Sequence[Unit]) -> dict[Unit, NaturalDistribution]:
    return {unit: NaturalDistribution.from_values(values) for unit, values in iter_unit_values(acts, units)}


def _run(
    model: Model, units: UnitList, recipe: Recipe, acts: Activations | None, output: Path, options: VisualizationOptions
) -> None:
    """Plan, run and finish the work on one model's folder."""
    folder = JobFolder(output.parent / f".{output.name}.optimized.jobs", output)
    with explain_write_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    remove = partial(folder.clear, _list_made(output)) if options.overwrite else None
    with open_output(folder, leftovers=_list_made(output), replace=remove, shared=True) as work:
        identities = list_identities(model)
        refuse_other_network(output, ["natural_images"], identities, model.name, overwrite=options.overwrite)
        options = _settle(options, old := folder.read_settings(), output)
        settings = resolve_settings(model, recipe, acts, options, len(units), old)
        example = make_example(model, recipe.input_shape)
        settings["channels_last"] = settle_layout(model, units.layers, example, old)
        work.settle(settings, vacant=[output / unit.path_name / FOLDER for unit in units])
        groups = plan_groups(folder, units, settings)
        members = list(dict.fromkeys(unit for group in groups for unit in group))
        naturals: dict[Unit, NaturalDistribution | None] = dict.fromkeys(members)
        if acts is not None:
            naturals |= _read_naturals(acts, members)
        shards = make_shards(groups, naturals, options.n_images)
        steps = count_most_steps(1, options) // (len(SIGNS) * options.n_images)
        plan = Plan(f"visualize {output.name}", settings, shards, "images", steps)
        worker = UnitWorker(
            model, recipe.input_shape, settings, count_cores(options.threads), output, recipe, options, naturals
        )
        receipts = work.run(plan, worker, n_workers=options.workers)
        smaller = _write_results(output, folder, plan, receipts)
        facts = {
            "model": {"name": model.name, "weights": asdict(model.weights)},
            "activations": None if acts is None else acts.path.as_posix(),
            "units": [str(unit) for unit in units],
            "smaller_batches": smaller,
        }
        work.record(output, FOLDER, facts)


def _settle(options: VisualizationOptions, old: dict[str, Any] | None, output: Path) -> VisualizationOptions:
    """With the recipe that an output was begun with, and keeps."""
    settled = settle_recipe(options, old)
    if options.diversity is None and options.recipe is None and old is not None and settled.recipe != RECIPES[0]:
        tell("%s was begun with the recipe %s, which it keeps", output, settled.recipe)
    return settled


def _list_made(output: Path) -> Iterator[Path]:
    yield output / TABLE
    yield from output.glob(f"*/channel_*/{FOLDER}")


def _write_results(
    output: Path, folder: JobFolder, plan: Plan, receipts: Sequence[dict[str, Any]]
) -> list[list[list[Any]]]:
    """Write the table of all units that the folder holds; the groups that were made in smaller batches."""
    rows: list[Row] = []
    for receipt in folder.iter_receipts():
        if receipt["settings"] == plan.hash:
            rows += receipt["facts"]["rows"]
    rows.sort(key=lambda row: (row["layer"], row["channel"], SIGNS.index(row["sign"])))
    with folder.seal(TABLE):
        write_bytes(output / TABLE, format_table(rows, TABLE_COLUMNS))
    smaller = [receipt["payload"]["units"] for receipt in receipts if "smaller_batches" in receipt["facts"]]
    if smaller:
        logger.warning("%d groups of units were made in smaller batches, for lack of memory", len(smaller))
    return smaller
