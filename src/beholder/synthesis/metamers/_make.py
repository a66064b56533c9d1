"""Making metamers: from stimuli and layers to files and the table of results."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import explain_write_errors, to_path_name
from beholder._core.hashing import hash_settings
from beholder._core.progress import logger
from beholder._core.provenance import find_network
from beholder._core.settings import compare_settings
from beholder.activations import check_modality, check_path_names, list_asked_layers, sort_layers
from beholder.jobs import JobFolder, Output, Plan, open_output
from beholder.models import (
    Model,
    as_model,
    collect_stimuli,
    explain_shape_errors,
    find_model_words,
    load_model,
    place_model,
    run_eagerly,
)
from beholder.stimuli import (
    CATEGORY_RULES,
    METAMER_COLUMNS,
    METAMER_MANIFEST,
    NullSet,
    StimulusSet,
    fill_verdicts,
    find_metamer_folder,
    format_passed,
    is_null_set,
    list_asked_decisions,
    make_metamer_table,
    name_metamer,
    name_run,
    write_metamer_table,
    write_stimulus_manifest,
)
from beholder.synthesis.engine._recipe import check_count
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.engine._validate import check_tensors, make_example, settle_layout
from beholder.synthesis.metamers._bench import MetamerTask
from beholder.synthesis.metamers._measure import check_measured, list_measured_layers
from beholder.synthesis.metamers._plan import (
    ORIGINALS,
    Layout,
    count_concurrent_batches,
    plan_metamer_shards,
    prepare_original,
    resolve_metamer_settings,
    write_originals,
)
from beholder.synthesis.metamers._read import Metamers
from beholder.synthesis.metamers._recipe import MetamerRecipe, make_metamer_recipe
from beholder.synthesis.metamers._session import MetamerWork, make_rows, open_session, unpack_numbers
from beholder.synthesis.metamers._worker import MetamerWorker

RESULTS = "results.parquet"
NULL_FOLDER, METAMERS_FOLDER = "null_dist", "metamers"


@suggest_keywords
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
    >>> met = make_metamers("beholder:shapes", "images/", layers=["block2"])      # doctest: +SKIP
    >>> met.to_pandas()[["stimulus_id", "db_snr"]]      # doctest: +SKIP
    """
    observer = open_observer(model, device)
    check_tensors(observer)
    originals = collect_stimuli(observer, stimuli).pin()
    if not len(originals):
        raise InputError("at least one stimulus", got="none")
    check_modality(observer, originals)
    asked = list_layers_to_match(observer, layers)
    plan = make_metamer_recipe(
        observer, recipe, iterations=iterations, repeats=repeats, step_size=step_size, noise_scale=noise_scale,
        noise_mean=noise_mean, loss=loss, target_db=target_db,
    )  # fmt: skip
    wanted_seeds = _read_seeds(seeds)
    if rule not in CATEGORY_RULES:
        raise UnknownNameError("rule", rule, CATEGORY_RULES)
    check_count(1 if batch_size is None else batch_size, "metamer in a batch")
    check_count(1 if threads is None else threads, "thread")
    shape = tuple(prepare_original(observer, originals, 0).shape)
    example = make_example(observer, shape)
    with run_eagerly(), explain_shape_errors(observer, shape):
        also = None if measured is None else list_asked_layers(observer, list(measured))
        names = list(dict.fromkeys([*(also or list_measured_layers(observer, asked, example)), *asked]))
    if out_path is None:
        settings = resolve_metamer_settings(
            observer, plan, len(originals) * len(asked) * len(wanted_seeds), None, batch_size=batch_size,
            threads=threads, stored=False, rule=rule,
        )  # fmt: skip
        settings["channels_last"] = settle_layout(observer, asked, example, None)
        work = _make_work(observer, asked, names, plan, shape, settings, threads)
        return _make_in_memory(observer, originals, wanted_seeds, work, settings["batch_size"])
    check_measured(observer, names, example)
    output = Path(out_path) / to_path_name(observer.path_name)
    null = (Path(null_path) if null_path else Path(out_path).parent / NULL_FOLDER) / output.name
    if keep_apart:
        output = pick_output(output, plan, make_metamer_recipe(observer, recipe, loss=loss))
    options = {"batch_size": batch_size, "workers": workers, "threads": threads, "overwrite": overwrite, "rule": rule}
    return _run(observer, originals, asked, names, wanted_seeds, plan, shape, output, null, options)


def open_observer(model: Model | nn.Module | str, device: str | None) -> Model:
    if isinstance(model, str):
        return load_model(model, device=device or "auto")
    return place_model(as_model(model), device)


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


def _make_work(
    model: Model,
    layers: Sequence[str],
    measured: Sequence[str],
    recipe: MetamerRecipe,
    shape: tuple[int, ...],
    settings: dict[str, Any],
    threads: int | None,
) -> MetamerWork:
    n_concurrent_batches = count_concurrent_batches(model, settings, threads)
    return MetamerWork(
        tuple(layers),
        tuple(measured),
        recipe,
        shape,
        settings["intra_threads"],
        n_concurrent_batches,
        settings["channels_last"],
        settings["rule"],
    )


def _make_in_memory(
    model: Model, stimuli: StimulusSet, seeds: Sequence[int], work: MetamerWork, batch_size: int
) -> Metamers:
    """Without files."""
    from beholder.synthesis.metamers._memory import make_all

    images = {name: prepare_original(model, stimuli, i, work.shape) for i, name in enumerate(stimuli.ids)}
    told = dict(zip(stimuli.ids, zip(stimuli.labels, list_asked_decisions(stimuli), strict=True), strict=True))
    tasks = [
        [MetamerTask(layer, name, seed, images[name], *told[name]) for name in stimuli.ids[start : start + batch_size]]
        for start in range(0, len(stimuli), batch_size)
        for layer in work.layers
        for seed in seeds
    ]
    with open_session(model, work) as session:
        log_rectifiers(session.runner.plans.values())
        finished, skipped = make_all(session, tasks, work.n_concurrent_batches, f"metamers {model.path_name}")
        rectifiers = {name: plan.n_rectifiers for name, plan in session.runner.plans.items()}
        form = session.form
    if not finished:
        raise InputError("activations to match", got="layers that are zero everywhere", hint="other layers or stimuli")
    rows = [row for each in finished for row in make_rows(each, None, model.name, work.recipe.name)]
    described = {
        name: {"file": stimuli.files[i], "label": stimuli.labels[i], "target": int(stimuli.targets[i]),
               "sha256": stimuli.hashes[i], "decision": told[name][1]}
        for i, name in enumerate(stimuli.ids)
    }  # fmt: skip
    return Metamers(
        model=model.name,
        keys=tuple((each.task.stimulus_id, each.task.layer, each.task.seed) for each in finished),
        path=None,
        form=form,
        rectifiers=rectifiers,
        skipped=tuple(skipped),
        table=make_metamer_table({name: [row[name] for row in rows] for name in METAMER_COLUMNS}),
        kept={
            "stimuli": [each.made.image for each in finished],
            "originals": images,
            "losses": [each.made.losses for each in finished],
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
    model: Model,
    stimuli: StimulusSet,
    layers: list[str],
    measured: list[str],
    seeds: list[int],
    recipe: MetamerRecipe,
    shape: tuple[int, ...],
    output: Path,
    null: Path,
    options: dict[str, Any],
) -> Metamers:
    """Plan, run and finish the work on one model's folder."""
    folder = get_job_folder(output)
    form = StimulusFormat.of_model(model, shape)
    with explain_write_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    with open_output(folder, leftovers=[output], shared=not options["overwrite"]) as work:
        n_metamers = len(stimuli) * len(layers) * len(seeds)
        settings = resolve_metamer_settings(
            model, recipe, n_metamers, folder.read_settings(), batch_size=options["batch_size"],
            threads=options["threads"], rule=options["rule"], renew=options["overwrite"],
        )  # fmt: skip
        settings["shape"] = list(shape)
        settings["channels_last"] = settle_layout(model, layers, make_example(model, shape), folder.read_settings())
        _settle_settings(work, output, settings, overwrite=options["overwrite"])
        layout = Layout.read(folder)
        known = layout.stimuli
        described = write_originals(output, model, stimuli, form, known, shape, replace=options["overwrite"])
        if options["overwrite"]:
            changed = [i for i in described if i in known and known[i]["sha256"] != described[i]["sha256"]]
            forget_metamers(folder, layers, seeds, stimuli.ids, changed)
        layout = layout.grow(described, layers, measured, seeds, output, replace=options["overwrite"])
        layout = layout.sort(partial(sort_layers, model))
        layout.write(folder)
        rows = [{"stimulus_id": key, **row} for key, row in layout.stimuli.items()]
        with folder.seal(METAMER_MANIFEST, *(row["original"] for row in rows)):
            write_stimulus_manifest(output, rows)
        hashes = {key: row["sha256"] for key, row in layout.stimuli.items()}
        job = _make_work(model, layers, measured, recipe, shape, settings, options["threads"])
        told = {key: (row["label"], row.get("decision", "")) for key, row in layout.stimuli.items()}
        worker = MetamerWorker(output, model, str(model.device), stimuli, job, folder.path, told)
        receipts: Sequence[dict[str, Any]] = ()
        n_elsewhere = 1
        try:
            while n_elsewhere:
                shards, n_elsewhere = plan_metamer_shards(
                    folder, hash_settings(settings), stimuli.ids, layers, seeds, hashes, settings["batch_size"],
                    work.announcement.make,
                )  # fmt: skip
                plan = Plan(f"metamers {output.name}", settings, shards, "metamers")
                receipts = work.run(plan, worker, n_workers=options["workers"])
                if n_elsewhere:
                    work.wait(f"another run makes {n_elsewhere} of these metamers")
        finally:
            table = assemble_results(output, folder, null)
        made = _finish(work, model, stimuli, job, receipts, form, table)
    log_verdicts(made.table, null, model, output)
    return made


def pick_output(plain: Path, recipe: MetamerRecipe, usual: MetamerRecipe) -> Path:
    """Where metamers of these numbers of steps lie, or go to.

    Parameters
    ----------
    plain : path
        ``metamers/{model}``: what is there goes on; where nothing is, the recipe's usual numbers of steps go there.
    recipe, usual : MetamerRecipe
        The one asked for, and with the numbers of steps that it has by itself.

    Returns
    -------
    path
        ``plain``, or ``{model}_I{iterations}_N{repeats}`` beside it.
    """
    asked = recipe.iterations, recipe.repeats
    own = plain.with_name(name_run(plain.name, *asked))
    if get_job_folder(own).read_settings() is None:
        old = get_job_folder(plain).read_settings()
        made = (usual.iterations, usual.repeats) if old is None else _read_steps(old)
        if made == asked:
            return plain
    logger.info("metamers of %d x %d steps lie in a folder of their own: %s", *asked, own)
    return own


def _read_steps(settings: dict[str, Any]) -> tuple[int, int]:
    return settings["recipe"]["iterations"], settings["recipe"]["repeats"]


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
        before, now = _read_steps(old), _read_steps(settings)
        which = "recipe.iterations" if before[0] != now[0] else "recipe.repeats"
        hints[which] = f"--iterations {before[0]} --repeats {before[1]} to go on with it"
    work.settle(settings, hints=hints, vacant=[output / RESULTS])


def get_job_folder(output: Path) -> JobFolder:
    """The job folder of ``metamers/{model}``."""
    return JobFolder(output.parent / f".{output.name}.metamers.jobs", output)


def find_null_jobs(output: Path) -> JobFolder:
    """The job folder of ``null_dist/{model}``."""
    return JobFolder(output.parent / f".{output.name}.null.jobs", output)


def _remove_all(output: Path, folder: JobFolder) -> None:
    names = (RESULTS, METAMER_MANIFEST, ORIGINALS, *(to_path_name(layer) for layer in Layout.read(folder).layers))
    folder.clear([folder.path / "state", *(output / name for name in names)])


def forget_metamers(
    folder: JobFolder, layers: Sequence[str], seeds: Sequence[int], ids: Sequence[str], changed: Sequence[str]
) -> None:
    """Forget that some metamers were made, so that they are made anew.

    Parameters
    ----------
    folder : JobFolder
    layers, seeds, ids
        Which.
    changed : sequence of str
        Stimuli of which all metamers are forgotten.
    """
    for path in sorted((folder.path / "receipts").glob("*.json")):
        receipt = folder.peek_receipt(path.stem)
        if receipt is None:
            continue
        payload, facts = receipt["payload"], receipt["facts"]
        gone = set(changed) if not (payload["layer"] in layers and payload["seed"] in seeds) else {*ids, *changed}
        gone &= set(payload["stimuli"])
        left = set(payload["stimuli"]) - gone - set(facts.get("replaced", ()))
        shutil.rmtree(folder.path / "state" / path.stem, ignore_errors=True)
        if not left:
            path.unlink()
        elif gone:
            facts["replaced"] = sorted(set(payload["stimuli"]) - left)
            for part in ("metamers", "skipped"):
                facts[part] = [each for each in facts[part] if each["stimulus_id"] in left]
            for part in ("files", "digests"):
                receipt[part] = {name: mark for name, mark in receipt[part].items() if Path(name).parent.name in left}
            folder.replace_receipt(path.stem, receipt)


def assemble_results(output: Path, folder: JobFolder, null: Path) -> Any:
    """Write ``results.parquet`` from the receipts, with verdicts where there is a null; returns the table."""
    settings = folder.read_settings()
    layout = Layout.read(folder)
    rows: list[dict[str, Any]] = []
    if settings is not None:
        plan_hash = Plan("", settings, ()).hash
        for receipt in folder.iter_receipts():
            if receipt["settings"] == plan_hash:
                rows += [unpack_numbers(row) for each in receipt["facts"]["metamers"] for row in each["rows"]]
    orders = [
        {name: i for i, name in enumerate(each)}
        for each in (layout.layers, layout.stimuli, layout.seeds, layout.measured)
    ]
    names = ("layer", "stimulus_id", "seed", "measured_layer")
    rows = [row for row in rows if all(row[name] in order for name, order in zip(names, orders, strict=True))]
    rows.sort(key=lambda row: tuple(order[row[name]] for name, order in zip(names, orders, strict=True)))
    table = make_metamer_table({name: [row.get(name) for row in rows] for name in METAMER_COLUMNS})
    with find_null_jobs(null).take_turn():
        found = open_null(null, find_network(settings))
        if found is not None:
            wanted = [layer for layer in dict.fromkeys(table["measured_layer"]) if layer in found]
            table = fill_verdicts(table, {layer: found[layer] for layer in wanted})
    with folder.seal(RESULTS):
        write_metamer_table(output / RESULTS, table)
    return table


def open_null(null: Path, network: str | None) -> NullSet | None:
    """The null distribution in a folder, if there is one and the metamers' own network gave it; else a word why not."""
    if not is_null_set(null):
        return None
    found = NullSet(null)
    if found.network is not None and found.network == network:
        return found
    if found.network is None or network is None:
        why = "does not say by content which network it was measured with, as this version does"
    else:
        why = "is of a network with other weights, code or hooks than the one that made the metamers"
    logger.warning(
        "no verdicts: the null distribution %s %s; `beholder metamers null --overwrite` measures it anew", null, why
    )
    return None


def _finish(
    work: Output,
    model: Model,
    stimuli: StimulusSet,
    job: MetamerWork,
    receipts: Sequence[dict[str, Any]],
    form: StimulusFormat,
    table: Any,
) -> Metamers:
    output = work.folder.output
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
        "layers": list(job.layers),
        "measured": list(job.measured),
        "skipped": [list(each) for each in skipped],
        "smaller_batches": smaller,
    }
    work.record(output, ".", facts)
    if not keys:
        raise InputError("activations to match", got="layers that are zero everywhere", hint="other layers or stimuli")
    order = {key: i for i, key in enumerate((i, layer) for i in stimuli.ids for layer in job.layers)}
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
    from beholder._core.files import read_json

    found: dict[str, int] = {}
    for stimulus_id, layer, seed in keys:
        if layer not in found:
            path = find_metamer_folder(output, layer, stimulus_id) / f"{name_metamer(seed)}.json"
            found[layer] = int(read_json(path)["rectifiers_passed"])
    return found


def log_verdicts(table: Any, null: Path, model: Model, output: Path) -> None:
    """Say how many pass, or which command fills it in."""
    own = table[table["layer"] == table["measured_layer"]]
    missing = list(dict.fromkeys(own[own["passed"].isna()]["layer"]))
    known = own[own["passed"].notna()]
    if len(known):
        logger.info("%s metamers pass (null: %s)", format_passed(known), null)
    if missing:
        logger.info(
            "no null distribution yet for %s, so `percentile` and `passed` are empty; `%s` fills them in",
            ", ".join(missing[:4]), name_null_command(model, missing[:4], null.parent, output.parent),
        )  # fmt: skip


def name_null_command(model: Model, layers: Sequence[str], null: Path, metamers: Path) -> str:
    """What to type for a null distribution, at the command line or, for a model that no name gives, in Python.

    Parameters
    ----------
    model : Model
    layers : sequence of str
    null, metamers : path
        Folders of all models' null distributions and metamers.
    """
    words = find_model_words(model)
    if words is None:
        places = f"out_path={str(null)!r}, metamers_path={str(metamers)!r}"
        return f"null_distribution(model, stimuli, {list(layers)}, {places})"
    command, folder = ["beholder", "metamers", "null"], Path()
    if model.spec is not None and model.spec.source == "file" and Path(model.spec.model).name == "build_network.py":
        folder = Path(model.spec.model).parent
        command += ["-D", str(folder), *words[1:]]
    else:
        command += [words[0], "FOLDER", *words[1:], "--layers", *layers]
    for flag, place, usual in (("--out_path", null, NULL_FOLDER), ("--metamers_path", metamers, METAMERS_FOLDER)):
        if place.resolve() != (folder / usual).resolve():
            command += [flag, str(place.resolve() if folder != Path() else place)]
    return shlex.join(command)
