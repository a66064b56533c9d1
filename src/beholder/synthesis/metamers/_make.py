"""Making metamers: from stimuli and layers to files and the table of results."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import check_output_folder, explain_write_errors, read_json, to_path_name
from beholder._core.hashing import hash_settings
from beholder._core.progress import logger
from beholder._core.settings import compare_settings
from beholder.activations import check_path_names, list_asked_layers, sort_layers
from beholder.jobs import JobFolder, Output, Plan, TaskEnded, long_work, open_output, place_output, show_work
from beholder.models import Model, check_modality, collect_stimuli, explain_shape_errors, open_model, run_eagerly
from beholder.stimuli import (
    CATEGORY_RULES,
    METAMER_COLUMNS,
    METAMER_MANIFEST,
    StimulusSet,
    find_metamer_folder,
    list_asked_decisions,
    make_metamer_table,
    name_metamer,
    write_stimulus_manifest,
)
from beholder.synthesis.engine._parts import PartCounter
from beholder.synthesis.engine._session import count_cores
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.engine._validate import check_count, check_tensors, make_example
from beholder.synthesis.metamers._maker import FinishedMetamer, MetamerTask
from beholder.synthesis.metamers._measure import check_measured, list_measured_layers
from beholder.synthesis.metamers._plan import (
    ORIGINALS,
    Layout,
    forget_metamers,
    get_job_folder,
    pick_output,
    plan_metamer_shards,
    prepare_original,
    read_steps,
    write_originals,
)
from beholder.synthesis.metamers._read import Metamers
from beholder.synthesis.metamers._recipe import make_metamer_recipe
from beholder.synthesis.metamers._results import NULL_FOLDER, RESULTS, assemble_results, log_verdicts, make_rows
from beholder.synthesis.metamers._worker import MetamerWorker


@suggest_keywords
@long_work
def make_metamers(
    model: Model | nn.Module | str,
    stimuli: StimulusSet | Path | str | Any,
    layers: Sequence[str] | None = None,
    *,
    recipe: str = "default",
    seeds: int | Sequence[int] = 0,
    measured: Sequence[str] | None = None,
    iterations: int | None = None,
    repeats: int | None = None,
    step_size: float | None = None,
    noise_scale: float | None = None,
    noise_mean: float | None = None,
    loss: str = "inversion_loss_layer",
    target_db: float | None = None,
    rule: str = "first",
    out_path: Path | str | None = None,
    null_path: Path | str | None = None,
    keep_apart: bool = False,
    device: str | None = None,
    batch_size: int | None = None,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Metamers:
    r"""Make stimuli whose activations at one layer match those of natural ones.

    From noise x, minimise :math:`\|f(x) - f(s)\| / \|f(s)\|`, f the layer and s the stimulus, with x in the model's
    range. Written, if ``out_path`` is given, as ``{model}/{layer}/{stimulus_id}/metamer.png`` (or ``.wav``; seed s > 0:
    ``metamer_seed{s}``) with ``{model}/results.parquet``. Interrupted at any moment, the same call completes the folder
    to the same bytes; stimuli, layers and seeds may be added later.

    Parameters
    ----------
    model : Model, nn.Module or str
        The observer. No change to a module is needed.
    stimuli : StimulusSet, or whatever holds stimuli
        The originals.
    layers : sequence of str, optional
        To be matched, each by metamers of its own; default the network's recorded layers.
    recipe : {"default", "published"}
        ``published``: 8 × 3,000 gradient steps of unit length, halved eight times, clamped into range, the last
        iterate. ``default``: L-BFGS on a parameterisation that suits the layer, in far fewer steps; where it gets
        stuck below 30 dB it begins anew from other noise, twice at most, and the best is kept.
    seeds : int or sequence of int
        One metamer each, from other noise.
    measured : sequence of str, optional
        Layers at which the match is measured; default the recorded ones, else every child module down to two levels;
        ``layers`` are always among them.
    iterations, repeats : int, optional
        At most ``iterations · repeats`` evaluations from one start; default 1,000 · 1, ``published`` 3,000 · 8.
    step_size : float, optional
        Of ``published``: first step, default 1.
    noise_scale, noise_mean : float, optional
        Of the start; default a twentieth of the range about its middle, for sounds 0.01 of it (``published``: 1e-7)
        about 0.
    loss : str
        Of ``published``: one of the released code's three.
    target_db : float, optional
        Stop at this signal-to-noise ratio; default 45, ``published`` never.
    rule : {"first", "mean", "max", "sum"}
        How a network of ImageNet's classes says which of the 16 categories, see
        :func:`~beholder.stimuli.decide_category`.
    out_path : path, optional
        Folder for all models' metamers, such as ``metamers``. None: keep them in memory.
    null_path : path, optional
        Folder for all models' null distributions; default ``null_dist`` beside ``out_path``. If the model's is there,
        percentiles and verdicts are filled in.
    keep_apart : bool
        Where ``{model}`` was made in other numbers of steps, or these are not the recipe's own, write to
        ``{model}_I{iterations}_N{repeats}`` beside it, as ``beholder metamers make -D`` does; else that is an error.
    device, batch_size, workers, threads
        As for :func:`beholder.extract`.
    overwrite : bool
        Make those asked for anew; all that is there, if it was made with other settings.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    Metamers

    Raises
    ------
    InputError
        A layer that does not exist, has no gradient or is zero everywhere; stimuli of several shapes or of another
        kind than the model takes.
    ConfigurationChanged
        The folder holds metamers that were made with other settings.

    Notes
    -----
    Source: Feather, Leclerc, Madry and McDermott (2023), "Model metamers reveal divergent invariances between
    biological and artificial neural networks", Methods.

    Examples
    --------
    >>> import beholder as bh
    >>> picture = bh.StimulusSet.from_folder("images")[:1]
    >>> few = {"iterations": 4, "measured": ["block2"]}
    >>> made = bh.make_metamers("beholder:shapes", picture, ["block2"], out_path="metamers", **few)
    >>> len(made), made.path.as_posix()
    (1, 'metamers/shapes')
    """
    if out_path is not None:
        check_output_folder(out_path)
    observer = open_model(model, device)
    check_tensors(observer)
    originals = collect_stimuli(observer, stimuli).pin()
    if not len(originals):
        raise InputError("at least one stimulus", got="none")
    check_modality(observer, originals)
    asked = list_layers_to_match(observer, layers)
    wanted = make_metamer_recipe(
        observer, recipe, iterations=iterations, repeats=repeats, step_size=step_size, noise_scale=noise_scale,
        noise_mean=noise_mean, loss=loss, target_db=target_db,
    )  # fmt: skip
    wanted_seeds = _read_seeds(seeds)
    if rule not in CATEGORY_RULES:
        raise UnknownNameError("rule", rule, CATEGORY_RULES)
    check_count(1 if batch_size is None else batch_size, "metamer in a batch")
    cores = count_cores(threads)
    shape = tuple(prepare_original(observer, originals, 0).shape)
    example = make_example(observer, shape)
    with run_eagerly(), explain_shape_errors(observer, shape):
        also = None if measured is None else list_asked_layers(observer, list(measured))
        names = list(dict.fromkeys([*(also or list_measured_layers(observer, asked, example)), *asked]))
    worker = MetamerWorker(observer, shape, {}, cores, originals, asked, names, wanted, rule)
    if out_path is None:
        return _make_in_memory(worker, wanted_seeds, batch_size)
    check_measured(observer, names, example)
    output = Path(out_path) / to_path_name(observer.path_name)
    null = (Path(null_path) if null_path else Path(out_path).parent / NULL_FOLDER) / output.name
    if keep_apart:
        output = pick_output(output, wanted, make_metamer_recipe(observer, recipe, loss=loss))
    output = place_output(output)
    worker.output, worker.jobs = output, get_job_folder(output).path
    return _run(worker, wanted_seeds, null, batch_size=batch_size, n_workers=workers, overwrite=overwrite)


def list_layers_to_match(model: Model, layers: Sequence[str] | None) -> list[str]:
    """Exact names of the layers that are asked for; the network's stages where none are."""
    if isinstance(layers, str):
        raise InputError("a list of layer names", got=f"the string {layers!r}", hint=f"[{layers!r}]")
    if not layers and not model.stages:
        raise InputError(
            "--layers NAME…",
            got=f"none, and {model.name} records none",
            hint=f"beholder layers {shlex.quote(model.name)}",
        )
    names = list_asked_layers(model, list(layers or model.stages))
    check_path_names([*names, ORIGINALS])
    return names


def _read_seeds(seeds: int | Sequence[int]) -> list[int]:
    found = [seeds] if isinstance(seeds, int) else [int(seed) for seed in seeds]
    if not found or min(found) < 0:
        raise InputError("seeds of 0 or more", got=str(found))
    return list(dict.fromkeys(found))


def _make_in_memory(worker: MetamerWorker, seeds: Sequence[int], batch_size: int | None) -> Metamers:
    """Without files."""
    model, stimuli = worker.model, worker.stimuli
    n_metamers = len(stimuli) * len(worker.layers) * len(seeds)
    worker.settings = settings = worker.resolve_settings(n_metamers, batch_size=batch_size, is_stored=False)
    images = {name: prepare_original(model, stimuli, i, worker.shape) for i, name in enumerate(stimuli.ids)}
    told = dict(zip(stimuli.ids, zip(stimuli.labels, list_asked_decisions(stimuli), strict=True), strict=True))
    size = settings["batch_size"]
    batches = [
        [MetamerTask(layer, name, seed, images[name], *told[name]) for name in stimuli.ids[start : start + size]]
        for start in range(0, len(stimuli), size)
        for layer in worker.layers
        for seed in seeds
    ]
    finished: list[FinishedMetamer] = []
    skipped: list[tuple[str, str, int, str]] = []
    with worker.open_session() as session:
        maker = worker.open_maker(session)
        log_rectifiers(maker.plans.values())
        steps = worker.recipe.steps
        with show_work(f"metamers {model.path_name}", n_metamers, "metamers", steps=steps) as advance:
            parts = [PartCounter(advance, len(batch), len(batch) * steps) for batch in batches]
            started = [
                session.submit(maker.make, batch, None, part.count) for batch, part in zip(batches, parts, strict=True)
            ]
            for part, finish in zip(parts, started, strict=True):
                made, empty = finish()
                finished += made
                skipped += [(task.stimulus_id, task.layer, task.seed, "all zero") for task in empty]
                part.end()
    if not finished:
        raise InputError("activations to match", got="layers that are zero everywhere", hint="other layers or stimuli")
    rows = [row for each in finished for row in make_rows(each, None, model.name, worker.recipe.name)]
    described = {
        name: {"file": stimuli.files[i], "label": stimuli.labels[i], "target": int(stimuli.targets[i]),
               "sha256": stimuli.hashes[i], "decision": told[name][1]}
        for i, name in enumerate(stimuli.ids)
    }  # fmt: skip
    return Metamers(
        model=model.name,
        keys=tuple((each.task.stimulus_id, each.task.layer, each.task.seed) for each in finished),
        path=None,
        form=maker.form,
        rectifiers={name: plan.n_rectifiers for name, plan in maker.plans.items()},
        skipped=tuple(skipped),
        table=make_metamer_table({name: [row[name] for row in rows] for name in METAMER_COLUMNS}),
        kept={
            "stimuli": [each.image for each in finished],
            "originals": images,
            "losses": [each.made.losses[0] for each in finished],
            "predictions": [
                {"original": each.original.to_dict(), "metamer": each.unrounded.prediction.to_dict()}
                for each in finished
            ],
            "described": described,
        },
    )


def log_rectifiers(plans: Any) -> None:
    """Say through which layers' own rectifiers the gradient passes."""
    told = [f"{plan.layer} ({plan.n_rectifiers})" for plan in plans if plan.n_rectifiers]
    if told:
        logger.info("the gradient passes the rectifiers that end %s", ", ".join(told))


def _run(
    worker: MetamerWorker, seeds: list[int], null: Path, *, batch_size: int | None, n_workers: int, overwrite: bool
) -> Metamers:
    """Plan, run and finish the work on one model's folder."""
    model, stimuli, layers, output = worker.model, worker.stimuli, worker.layers, worker.output
    folder = get_job_folder(output)
    form = StimulusFormat.of_model(model, worker.shape)
    with explain_write_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    with open_output(folder, leftovers=[output], shared=not overwrite) as work:
        n_metamers = len(stimuli) * len(layers) * len(seeds)
        old = folder.read_settings()
        settings = worker.resolve_settings(n_metamers, old, batch_size, renew=overwrite)
        _settle_settings(work, output, settings, overwrite=overwrite)
        layout = Layout.read(folder)
        known = layout.stimuli
        described = write_originals(output, model, stimuli, form, known, worker.shape, replace=overwrite)
        if overwrite:
            changed = [i for i in described if i in known and known[i]["sha256"] != described[i]["sha256"]]
            forget_metamers(folder, layers, seeds, stimuli.ids, changed)
        layout = layout.grow(described, layers, worker.measured, seeds, output, replace=overwrite)
        layout = layout.sort(partial(sort_layers, model))
        layout.write(folder)
        rows = [{"stimulus_id": key, **row} for key, row in layout.stimuli.items()]
        with folder.seal(METAMER_MANIFEST, *(row["original"] for row in rows)):
            write_stimulus_manifest(output, rows)
        hashes = {key: row["sha256"] for key, row in layout.stimuli.items()}
        worker.settings = settings
        worker.told = {key: (row["label"], row.get("decision", "")) for key, row in layout.stimuli.items()}
        receipts: Sequence[dict[str, Any]] = ()
        n_elsewhere = 1
        try:
            while n_elsewhere:
                shards, n_elsewhere = plan_metamer_shards(
                    folder, hash_settings(settings), stimuli.ids, layers, seeds, hashes, settings["batch_size"],
                    work.announcement.make,
                )  # fmt: skip
                plan = Plan(f"metamers {output.name}", settings, shards, "metamers", worker.recipe.steps)
                receipts = work.run(plan, worker, n_workers=n_workers)
                if n_elsewhere:
                    work.wait(f"another run makes {n_elsewhere} of these metamers")
        except TaskEnded:  # the job after the array puts together
            raise
        except BaseException:
            assemble_results(output, folder, null)
            raise
        table = assemble_results(output, folder, null)
        made = _finish(work, worker, receipts, form, table)
    log_verdicts(made.table, null, model, output)
    return made


def _settle_settings(work: Output, output: Path, settings: dict[str, Any], *, overwrite: bool) -> None:
    folder = work.folder
    old = folder.read_settings()
    if overwrite and (old is None or compare_settings(old, settings)):
        n_old = sum(len(receipt["facts"].get("metamers", ())) for receipt in folder.iter_receipts())
        if n_old:
            logger.warning("%s: %d metamers that were made with other settings are replaced", output, n_old)
        _remove_all(output, folder)
    hints = {}
    if old is not None and old["recipe"]["name"] == settings["recipe"]["name"]:
        before, now = read_steps(old), read_steps(settings)
        which = "recipe.iterations" if before[0] != now[0] else "recipe.repeats"
        hints[which] = f"--iterations {before[0]} --repeats {before[1]} to go on with it"
    work.settle(settings, hints=hints, vacant=[output / RESULTS])


def _remove_all(output: Path, folder: JobFolder) -> None:
    names = (RESULTS, METAMER_MANIFEST, ORIGINALS, *(to_path_name(layer) for layer in Layout.read(folder).layers))
    folder.clear([folder.path / "state", *(output / name for name in names)])


def _finish(
    work: Output, worker: MetamerWorker, receipts: Sequence[dict[str, Any]], form: StimulusFormat, table: Any
) -> Metamers:
    model, stimuli, output = worker.model, worker.stimuli, worker.output
    keys, skipped = [], []
    smaller = [receipt["payload"] for receipt in receipts if "smaller_batches" in receipt["facts"]]
    for receipt in receipts:
        payload, facts = receipt["payload"], receipt["facts"]
        keys += [
            (each["stimulus_id"], payload["layer"], payload["seed"])
            for each in facts["metamers"] if each["stimulus_id"] in stimuli.ids
        ]  # fmt: skip
        skipped += [
            (each["stimulus_id"], payload["layer"], payload["seed"], each["reason"]) for each in facts["skipped"]
        ]
    if smaller:
        logger.warning("%d batches of metamers were made smaller, for lack of memory", len(smaller))
    facts = {
        "model": {"name": model.name, "weights": asdict(model.weights)},
        "stimuli": stimuli.describe(),
        "layers": list(worker.layers),
        "measured": list(worker.measured),
        "skipped": [list(each) for each in skipped],
        "smaller_batches": smaller,
    }
    work.record(output, ".", facts)
    if not keys:
        raise InputError("activations to match", got="layers that are zero everywhere", hint="other layers or stimuli")
    order = {key: i for i, key in enumerate((i, layer) for i in stimuli.ids for layer in worker.layers)}
    keys.sort(key=lambda key: (order[key[:2]], key[2]))
    wanted = set(keys)
    mine = [key in wanted for key in zip(table["stimulus_id"], table["layer"], table["seed"], strict=True)]
    rectifiers = _read_rectifiers(output, keys)
    return Metamers(
        model.name,
        tuple(keys),
        output,
        form,
        rectifiers,
        tuple(skipped),
        table[np.array(mine, bool)].reset_index(drop=True),
    )


def _read_rectifiers(output: Path, keys: Sequence[tuple[str, str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for stimulus_id, layer, seed in keys:
        if layer not in found:
            path = find_metamer_folder(output, layer, stimulus_id) / f"{name_metamer(seed)}.json"
            found[layer] = int(read_json(path)["rectifiers_passed"])
    return found
