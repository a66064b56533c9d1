"""Extraction: from a model, a stimulus set and layer names to a store on disk.

Planning is in ``_plan``, computing in ``_worker``; here the two meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from beholder._core.addresses import is_address, show_place
from beholder._core.cores import count_cores
from beholder._core.errors import ConfigurationChanged, InputError, StimulusError, UnknownNameError, suggest_keywords
from beholder._core.files import check_output_folder, explain_write_errors, to_path_name
from beholder._core.hashing import to_canonical_json
from beholder._core.progress import logger, tell
from beholder._core.provenance import read_versions
from beholder._core.seeds import DEFAULT_SEED
from beholder.activations.extraction._plan import (
    ExtractOptions,
    Pass,
    plan_passes,
    plan_shards,
    read_layout_names,
    read_passes,
    resolve_settings,
)
from beholder.activations.extraction._worker import ExtractWorker
from beholder.activations.forward._conduct import settle_conduct, watch_layers
from beholder.activations.forward._ensembles import ENSEMBLES, find_ensemble_parts
from beholder.activations.forward._probe import ProbedLayer, probe_layers
from beholder.activations.forward._targets import (
    Target,
    expand_presets,
    list_asked_layers,
    make_targets,
    refuse_shape,
    resolve_layers,
    route_parts,
    sort_layers,
)
from beholder.activations.store._arrays import (
    FORMAT,
    describe_columns,
    heal_store,
    is_complete,
    job_folder,
    make_arrays,
    open_group,
    remove_partial_files,
    remove_store,
    seal_store,
    send_store,
    write_column,
)
from beholder.activations.store._lazy import Activations
from beholder.activations.store._manifest import (
    check_unchanged,
    collect_known,
    count_kept,
    join_stimuli,
    read_manifest,
    write_manifest,
)
from beholder.jobs import (
    JobFolder,
    Plan,
    long_work,
    mirror_output,
    open_output,
    place_mirror,
    place_output,
    read_conditions,
)  # fmt: skip
from beholder.models import (
    OUTPUT,
    LayerRef,
    Model,
    check_modality,
    collect_stimuli,
    copy_model,
    explain_shape_errors,
    find_odd_size,
    load_stimulus,
    log_class_order,
    open_model,
    parse_layer,
    run_eagerly,
    unwrap_module,
)
from beholder.stimuli import Exposure, StimulusSet


@suggest_keywords
@long_work
def extract(
    model: Model | torch.nn.Module | str,
    stimuli: StimulusSet | Path | str | Any,
    layers: Sequence[str],
    *,
    out_path: Path | str = "activations",
    pool: str = "none",
    device: str | None = None,
    name: str | None = None,
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
    """Extract the activations of layers over a stimulus set into a store on disk.

    Interrupted at any moment, the same call completes the store to the same bytes. Calls that ask for other layers may
    run at the same time.

    Parameters
    ----------
    model : Model, nn.Module or str
        The observer, or its name for :func:`beholder.load_model`. It is run in eval mode, and is afterwards as it
        was.
    stimuli : StimulusSet, or whatever holds stimuli
        A folder, a table, files, pictures, arrays, a data set: see :func:`beholder.models.collect_stimuli`.
    layers : sequence of str
        Layer names, patterns, presets, taps or ensembles (see ``beholder layers MODEL``).
    out_path : path
        Folder of the store ``{model}.zarr`` (``{model}.{pool}.zarr`` when pooled).
    pool : {"none", "mean", "max", "cls", "center"}
        One value a channel: over space, time or tokens.
    device : str, optional
        ``auto``, or as for :func:`~beholder.models.pick_device`; default: where the model is (``auto`` for a name).
    name : str, optional
        Name of the store, without ``.zarr``.
    batch_size : int
        Stimuli in one forward pass; by default chosen from the work's size.
    dtype : {"float32", "float16"}
        As stored.
    precision : {"fp32", "bf16", "fp16"}
        As computed.
    workers : int
        Processes; 1 runs inline. Does not change a byte.
    threads : int
        Cores to use; default all of this machine.
    replicates : int
        Exposures of each stimulus; needs ``exposure`` to differ.
    exposure : Exposure
        Alpha mask, border and jitter (replicate 0 is clean).
    flatten : bool
        Store one axis of features, row-major.
    reduce_to : int
        Sparse random projection of each flattened layer to this width.
    seed : int
        Of exposure and projection, and of the weights of a name that ends in ``@random``.
    append : bool
        Add stimuli that the store does not hold yet after the old ones.
    overwrite : bool
        Replace an existing store.
    pool_tokens : bool
        Average tokens even where ``pool`` is ``none``, as panels do.
    axes : mapping of str to sequence of str
        Names of layers' axes, without that of the stimuli, for those whose channel axis the network does not tell:
        ``{"blocks.0": ("height", "width", "channel")}``.
    compile : bool
        Let ``torch.compile`` make one graph of the network up to the deepest layer. Changes the last digits of values,
        so that a store is made wholly with it or without.
    cluster : str, optional
        Where the work is done: ``local:N``, ``dask:ADDRESS``, ``slurm``, ``pbs``, ``lsf`` or ``script``, as
        :func:`beholder.jobs.parse_cluster` reads it; default in this process, or in ``workers`` of this machine. Does
        not change a byte.
    mixed : bool
        Let machines of several kinds, whose values differ in their last digits, fill one output.
    dry_run : bool
        Only say what would be done, written and used.

    Returns
    -------
    Activations
        Lazy and labelled.

    Raises
    ------
    InputError
        For wrong layers, devices, stimuli or options.
    ConfigurationChanged
        When the store exists and was made with other settings.
    OutputBusy
        When another run replaces it, or is writing to it where this one adds stimuli or replicates.

    Examples
    --------
    >>> import beholder as bh
    >>> acts = bh.extract("beholder:shapes", "images", ["block5", "classifier"], device="cpu")
    >>> acts["classifier"].to_numpy().shape
    (32, 16)
    """
    settings = ExtractOptions(
        pool=pool, batch_size=batch_size, dtype=dtype, precision=precision, workers=workers, threads=threads,
        replicates=replicates, exposure=exposure, flatten=flatten, reduce_to=reduce_to, seed=seed, append=append,
        overwrite=overwrite, pool_tokens=pool_tokens, axes=axes, compile=compile,
    )  # fmt: skip
    settings.check()
    check_output_folder(out_path)
    observer = open_model(model, device, settings.seed)
    stimuli = collect_stimuli(observer, stimuli)
    store = Path(out_path) / (name or store_name(observer, settings))
    if not store.name.endswith(".zarr"):
        store = store.with_name(store.name + ".zarr")
    extract_to_store(observer, stimuli, layers, store, settings)
    return Activations(store, partial=True)


def _place_here(store: Path, *, overwrite: bool) -> Path:
    """Where a store is worked on: here, if it lies at an address; a dry run in a scratch folder."""
    if is_address(store):
        store = place_mirror(store) if read_conditions().dry_run else mirror_output(store, overwrite=overwrite)
    return place_output(store)


def check_names(layers: Sequence[str]) -> None:
    """Refuse a single string, and nothing."""
    if isinstance(layers, str):
        raise InputError("a list of layer names", got=f"the string {layers!r}", hint=f"[{layers!r}]")
    if not layers:
        raise InputError("at least one layer", got="none", hint="beholder layers MODEL")


def store_name(model: Model, options: ExtractOptions) -> str:
    """``{model}.zarr``, ``{model}.{pool}.zarr`` when pooled, with the projection when reduced."""
    parts = [to_path_name(model.path_name)]
    if options.pool != "none":
        parts.append(options.pool)
    if options.reduce_to:
        parts.append(f"srp-{options.reduce_to}")
    return ".".join([*parts, "zarr"])


def extract_to_store(
    model: Model, stimuli: StimulusSet, layers: Sequence[str], store: Path, options: ExtractOptions
) -> None:
    """Plan, run and finish the extraction into one store. See :func:`extract`."""
    check_names(layers)
    if not len(stimuli):
        raise InputError("at least one stimulus", got="an empty stimulus set")
    check_modality(model, stimuli)
    log_class_order(model, stimuli)
    store = _place_here(store, overwrite=options.overwrite)
    folder = job_folder(store)
    stored = [] if options.overwrite else _find_stored(model, store, layers)
    targets, example = find_targets(model, stimuli, [*layers, *stored], options)
    if any(str(parameter.dtype) == "torch.float64" for parameter in model.module.parameters()):
        tell("%s computes in float64; its activations are stored as %s", model.name, options.dtype)
    replace = partial(remove_store, store) if options.overwrite else None
    with open_output(folder, replace=replace, shared=True) as output:
        if output.is_alone:
            remove_partial_files(folder.path)
            remove_partial_files(store)
            heal_store(store)
        if (now := _find_stored(model, store, layers)) != stored and not options.overwrite:
            targets, example = find_targets(model, stimuli, [*layers, *now], options)
        old = folder.read_settings()
        settings = resolve_settings(model, stimuli, targets, options, old)
        settings["channels_last"] = _settle_layout(model, example, targets, old)
        output.settle(settings, vacant=[store])
        before = read_manifest(folder.path)
        manifest = _drop_bad(folder, store, before, stimuli) if output.is_alone else before
        stimuli = join_stimuli(manifest, stimuli, store, append=options.append)
        if manifest is not None and len(manifest) < len(stimuli):
            output.refuse_others("more stimuli")
        known = collect_known(folder, before)
        check_unchanged(stimuli, known)
        stimuli = stimuli.pin([known[i].digest if i in known else "" for i in stimuli.ids])
        write_manifest(folder.path, stimuli)
        passes = plan_passes(store, targets, settings, len(stimuli))
        if options.replicates > count_replicates(store, options.replicates):
            output.refuse_others("more replicates")
        n_replicates = _grow_store(store, model, stimuli, passes, options, settings)
        asked = None if output.is_alone else set(list_asked_layers(model, layers))
        send_store(store)
        shards = plan_shards(passes, stimuli, n_replicates, asked)
        unit = "stimuli" if n_replicates == 1 else "exposures"
        plan = Plan(f"extract {model.path_name}", settings, shards, unit)
        n_concurrent_batches = (options.threads or count_cores()) if settings["intra_threads"] == 1 else 1
        worker = ExtractWorker(
            store, model, str(model.device), stimuli, passes, settings, n_concurrent_batches, options.precision,
            options.exposure, options.reduce_to, options.seed,
        )  # fmt: skip
        receipts = output.run(plan, worker, n_workers=options.workers)
        smaller = _finish_store(store, stimuli, plan.hash, receipts)
        facts = {
            "model": {"name": model.name, "weights": asdict(model.weights)},
            "stimuli": stimuli.describe(),
            "seed": options.seed,
            "workers": options.workers,
            "smaller_batches": smaller,
        }
        output.record(store.parent, store.name, facts)
        send_store(store)


def _find_stored(model: Model, store: Path, asked: Sequence[str]) -> list[str]:
    """Layers that the store holds besides those asked for; the model must have them still."""
    names = [name for name in read_layout_names(store) if name not in asked]
    modules = dict(unwrap_module(model.module).named_modules(remove_duplicate=False))
    for name in names:
        path = parse_layer(name).path if name not in model.taps and name not in ENSEMBLES else OUTPUT
        if path not in modules and path not in ("", OUTPUT):
            raise ConfigurationChanged(
                f"a model with the layers that {store} holds", got=f"{model.name} without {name!r}",
                hint="the same --labels or taps as before, or another output folder",
            )  # fmt: skip
    return names


def _drop_bad(folder: JobFolder, store: Path, manifest: Any, stimuli: StimulusSet) -> Any:
    """Let an extraction that a bad file ended go on without that file; what lies before it is kept.

    Gives the manifest, or None where it is to be written anew.
    """
    if manifest is None or is_complete(store):
        return manifest
    n_kept = count_kept(manifest, stimuli)
    if n_kept is None:
        return manifest
    folder.drop_receipts(lambda receipt: receipt["payload"]["stop"] > n_kept)
    return None


def find_targets(
    model: Model, stimuli: StimulusSet, layers: Sequence[str], options: ExtractOptions
) -> tuple[list[Target], torch.Tensor]:
    """Resolve the layer names and probe the model with the first stimulus, which is given too, (1, *input_shape)."""
    model = copy_model(model)
    module = model.module
    refs = resolve_layers(module, expand_presets(model, layers), model.taps)
    ensembles = [name for name in layers if name in ENSEMBLES]
    names = list(dict.fromkeys([*refs, *ensembles]))
    parts: dict[str, LayerRef] = dict(refs)
    for name in ensembles:
        parts |= {layer: parse_layer(layer) for layer, _, _ in find_ensemble_parts(module, name)}
    for name in options.axes or {}:
        if name not in parts:
            raise UnknownNameError("layer asked for, to name the axes of", name, parts)

    def probe(i: int) -> tuple[list[Target], torch.Tensor]:
        prepared, *_ = load_stimulus(stimuli, i, model.preprocessing, options.exposure)
        example = torch.tensor(prepared, device=model.device)[None]
        with run_eagerly(), explain_shape_errors(model, prepared.shape):
            probed: dict[str, ProbedLayer] = probe_layers(
                module, parts, model.run, example,
                axes={**model.axes, **(options.axes or {})}, modality=model.modality,
            )  # fmt: skip
        how = {"flatten": options.flatten, "token_pool": options.pool_tokens}
        return make_targets(model, names, probed, options.pool, **how), example

    targets, example = probe(0)
    if (odd := find_odd_size(model, stimuli)) is not None:
        for target, other in zip(targets, probe(odd)[0], strict=True):
            if target.shape != other.shape:
                raise refuse_shape(target.name, target.shape, other.shape, stimuli.files[odd])
    return targets, example


def _settle_layout(model: Model, example: torch.Tensor, targets: Sequence[Target], old: dict[str, Any] | None) -> bool:
    """Whether convolutions run channels-last; settled when a store is first planned, with a look at how they behave."""
    if old is not None:
        return bool(old.get("channels_last", True))
    layers = {name: feeds[0][1].layer for name, feeds in route_parts(targets).items()}
    return settle_conduct(model, watch_layers(layers), example)


def _grow_store(
    store: Path,
    model: Model,
    stimuli: StimulusSet,
    passes: Sequence[Pass],
    options: ExtractOptions,
    settings: dict[str, Any],
) -> int:
    """Make or grow groups and arrays; returns the number of replicates the store now has."""
    job_folder(store).unseal()
    with explain_write_errors(store):
        root = open_group(store, "a")
        n_replicates = max(options.replicates, count_replicates(store, 1))
        columns: dict[str, Any] = {
            "file": stimuli.files,
            "label": stimuli.labels,
            "target": stimuli.targets,
            "id": stimuli.ids,
        }
        attributes = {
            "format": FORMAT,
            "model": model.name,
            "path_name": model.path_name,
            "network": settings["network"],
            "weights": {"tag": model.weights.tag, "sha256": model.weights.sha256},
            "settings": settings,
            "layers": _order_layers(model, passes),
            "n_replicates": n_replicates,
            "stimulus_root": show_place(stimuli.root) if stimuli.root else None,
            **describe_columns(("id", "file", "label", "target", "hash"), stimuli.conditions),
            "selection": stimuli.selection,
            "versions": read_versions(),
            "complete": False,
        }
        old = {key: value for key, value in dict(root.attrs).items() if key != "complete"}
        if old != {key: value for key, value in attributes.items() if key != "complete"}:
            root.attrs.put(attributes)
        layers = (layer for job in passes for layer in job.layers)
        make_arrays(root, columns, stimuli.conditions, layers, n_replicates)
    return n_replicates


def _order_layers(model: Model, passes: Sequence[Pass]) -> list[str]:
    """Layers of a store: as they were asked for; of several runs, as they lie in the network, whichever came first."""
    names = [layer.name for job in passes for layer in job.layers]
    return names if len(passes) == 1 else sort_layers(model, names)


def count_replicates(store: Path, new: int) -> int:
    """Replicates of a store, also of one whose head is lost or not written yet; ``new`` for one that is not there."""
    root = open_group(store) if (store / "zarr.json").exists() else None
    known: Any = None if root is None else root.attrs.get("n_replicates")
    if known:
        return int(known)
    return max((1 + receipt["payload"]["replicate"] for receipt in job_folder(store).iter_receipts()), default=new)


def _finish_store(
    store: Path, stimuli: StimulusSet, plan_hash: str, receipts: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Put a store's heads together; gives what was computed in smaller batches.

    The store is complete when everything in its layout is there, which another run may be about to make.
    """
    folder = job_folder(store)
    folder.unseal()
    hashes: list[str] = [""] * len(stimuli)
    smaller = []
    for receipt in receipts:
        start = receipt["payload"]["start"]
        for i, digest in enumerate(receipt["facts"].get("hashes") or receipt["facts"].get("sha256", []), start):
            if hashes[i] not in ("", digest):
                raise StimulusError(
                    "stimuli that stay as they are while they are extracted", got=f"{stimuli.ids[i]}, which changed",
                    hint="--overwrite, or another output folder",
                )  # fmt: skip
            hashes[i] = digest
        if "smaller_batch" in receipt["facts"]:
            smaller.append({**receipt["payload"], "batch": receipt["facts"]["smaller_batch"]})
    with explain_write_errors(store):
        root = open_group(store, "a")
        write_column(root["stimuli"], "hash", hashes)  # type: ignore[arg-type]
        shards = plan_shards(read_passes(store), stimuli, count_replicates(store, 1))
        ours = {to_canonical_json(receipt["payload"]) for receipt in receipts}
        left = (shard for shard in shards if to_canonical_json(shard.payload) not in ours)
        done = all(folder.read_receipt(plan_hash, shard) is not None for shard in left)
        if done and not root.attrs.get("complete"):
            root.attrs["complete"] = True
        seal_store(store)
    if smaller:
        logger.warning("%d shards were computed in smaller batches, for lack of memory", len(smaller))
    return smaller
