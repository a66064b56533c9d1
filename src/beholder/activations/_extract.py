"""Extraction: from a model, a stimulus set and layer names to a store on disk.

Planning is here, computing in ``_worker``. What decides a value's bytes is in the settings, whose
hash every receipt carries; what may grow (layers, stimuli, replicates) is in the layout.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.files import explain_write_errors, read_json, to_path_name, write_json
from beholder._core.hashing import hash_settings
from beholder._core.progress import logger
from beholder._core.provenance import read_versions, record_provenance
from beholder._core.seeds import DEFAULT_SEED
from beholder.activations._axes import POOLS
from beholder.activations._ensembles import ENSEMBLES, find_ensemble_parts
from beholder.activations._grammar import LayerRef, parse_layer
from beholder.activations._lazy import Activations
from beholder.activations._manifest import check_unchanged, join_stimuli, read_manifest, write_manifest
from beholder.activations._probe import ProbedLayer, probe_layers
from beholder.activations._shard_file import plan_layout
from beholder.activations._store import (
    FORMAT,
    StoredLayer,
    create_layer,
    iter_shard_ranges,
    job_folder,
    layout_from_dict,
    layout_to_dict,
    open_group,
    remove_partial_files,
    remove_store,
    write_column,
    write_stimuli,
)
from beholder.activations._targets import Target, check_path_names, make_targets, resolve_layers
from beholder.activations._worker import Compute, ExtractWorker, Pass, load_stimulus
from beholder.jobs import JobFolder, Plan, Shard, run_plan
from beholder.models import Model, load_model, pick_device, select_layers, unwrap_module, wrap
from beholder.stimuli import Exposure, StimulusSet, as_stimulus_set

PRESETS = ("blocks", "stages", "penultimate")
DTYPES = ("float32", "float16")
PRECISIONS = ("fp32", "bf16", "fp16")
_CPU_BATCH = 16
_DEVICE_BATCH = 64
_SHARD_BYTES = 32 * 2**20
_BATCH_BYTES = 64 * 2**20
_SHARD_STIMULI = 256
_MAX_SHARDS = 100


@dataclass(frozen=True)
class ExtractOptions:
    """How to extract; every field is documented at :func:`extract`."""

    pool: str = "none"
    batch_size: int | None = None
    dtype: str = "float32"
    precision: str = "fp32"
    workers: int = 1
    threads: int | None = None
    replicates: int = 1
    exposure: Exposure | None = None
    flatten: bool = False
    reduce_to: int | None = None
    seed: int = DEFAULT_SEED
    append: bool = False
    overwrite: bool = False
    pool_tokens: bool = False

    def check(self) -> None:
        """Refuse values outside their ranges."""
        choices = {"pool": POOLS, "dtype": DTYPES, "precision": PRECISIONS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise InputError(f"--{name} {'|'.join(known)}", got=repr(getattr(self, name)))
        for name in ("batch_size", "workers", "threads", "replicates", "reduce_to"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name} of at least 1", got=str(value))


def extract(
    model: Model | torch.nn.Module | str,
    stimuli: StimulusSet | Path | str | Any,
    layers: Sequence[str],
    *,
    out_path: Path | str = "activations",
    pool: str = "none",
    device: str | None = None,
    name: str | None = None,
    **options: Any,
) -> Activations:
    """Extract the activations of layers over a stimulus set into a store on disk.

    Interrupted at any moment, the same call completes the store to the same bytes.

    Parameters
    ----------
    model : Model, nn.Module or str
        The observer, or its name for :func:`beholder.load_model`.
    stimuli : StimulusSet, path or array
        Pictures or sounds; a folder or table; or an array with the stimuli along the first axis.
    layers : sequence of str
        Layer names, patterns, presets, taps or ensembles (see ``beholder layers MODEL``).
    out_path : path
        Folder of the store ``{model}.zarr`` (``{model}.{pool}.zarr`` when pooled).
    pool : {"none", "mean", "max", "cls", "center"}
        One value a channel: over space, time or tokens.
    device : str, optional
        ``auto``, ``cpu``, ``cuda[:N]``, ``mps``; default: where the model is (``auto`` for a name).
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
        Of exposure and projection.
    append : bool
        Add stimuli that the store does not hold yet after the old ones.
    overwrite : bool
        Replace an existing store.

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
        When another run is writing to it.
    """
    settings = ExtractOptions(pool=pool, **options)
    settings.check()
    observer = open_model(model, device)
    stimuli = as_stimulus_set(stimuli)
    store = Path(out_path) / (name or store_name(observer, settings))
    if not store.name.endswith(".zarr"):
        store = store.with_name(store.name + ".zarr")
    extract_to_store(observer, stimuli, layers, store, settings)
    return Activations(store)


def open_model(model: Model | torch.nn.Module | str, device: str | None) -> Model:
    """A model from a name, a module or a model, on the device asked for."""
    if isinstance(model, str):
        return load_model(model, device=device or "auto")
    observer: Any = wrap(model) if isinstance(model, torch.nn.Module) else model
    return observer if device is None else observer.to(pick_device(device))


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
    if not len(stimuli):
        raise InputError("at least one stimulus", got="an empty stimulus set")
    check_modality(model, stimuli)
    folder = job_folder(store)
    with explain_write_errors(store):
        store.parent.mkdir(parents=True, exist_ok=True)
    if not options.overwrite:
        layers = [*layers, *(name for name in read_layout_names(store) if name not in layers)]
    targets = find_targets(model, stimuli, layers, options)
    with folder.hold():
        if options.overwrite:
            remove_store(store)
        remove_partial_files(store.parent / f".{store.name}.jobs")
        remove_partial_files(store)
        old = folder.read_settings()
        settings = resolve_settings(model, stimuli, targets, options, old)
        hints = {"micro_batch": f"--batch_size {old['micro_batch']}"} if old else {}
        if not folder.check_settings(settings, hints):
            _check_vacant(store)
            folder.write_settings(settings)
        manifest = read_manifest(folder.path)
        stimuli = join_stimuli(manifest, stimuli, store, append=options.append)
        check_unchanged(manifest, stimuli, _read_hashes(folder, manifest))
        write_manifest(folder.path, stimuli)
        passes = plan_passes(store, targets, settings, len(stimuli))
        n_replicates = _grow_store(store, model, stimuli, passes, options, settings)
        shards = plan_shards(passes, stimuli, n_replicates)
        plan = Plan(f"extract {model.path_name}", settings, shards)
        compute = Compute(
            micro_batch=settings["micro_batch"],
            intra_threads=settings["intra_threads"],
            lanes=(options.threads or count_cores()) if settings["intra_threads"] == 1 else 1,
            precision=options.precision,
            seed=options.seed,
            reduce_to=options.reduce_to,
            exposure=options.exposure,
        )
        worker = ExtractWorker(store, model, str(model.device), stimuli, passes, compute)
        if options.workers > 1 and model.spec is None:
            _check_pickles(model)
        receipts = run_plan(plan, worker, folder, n_workers=options.workers)
        _finish_store(store, model, stimuli, settings, receipts, options)
        folder.clear_claims()


def _read_hashes(folder: JobFolder, manifest: Any) -> dict[str, str]:
    """sha256 by id of the stimuli that are extracted already."""
    if manifest is None:
        return {}
    ids = list(manifest["id"])
    found: dict[str, str] = {}
    for receipt in folder.iter_receipts("p0-r0-"):
        hashes = receipt["facts"].get("sha256", [])
        found |= dict(zip(ids[receipt["payload"]["start"] :], hashes, strict=False))
    return found


def check_modality(model: Model, stimuli: StimulusSet) -> None:
    """Refuse sounds for a model of pictures, and the reverse."""
    if "array" not in (stimuli.kind, model.modality) and stimuli.kind != model.modality:
        raise InputError(f"{model.modality}s, which {model.name} takes", got=f"{len(stimuli)} {stimuli.kind}s")


def count_cores() -> int:
    """Cores that this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def find_targets(model: Model, stimuli: StimulusSet, layers: Sequence[str], options: ExtractOptions) -> list[Target]:
    """Resolve the layer names and probe the model with the first stimulus."""
    if isinstance(layers, str):
        raise InputError("a list of layer names", got=f"the string {layers!r}", hint=f"[{layers!r}]")
    if not layers:
        raise InputError("at least one layer", got="none", hint=f"beholder layers {model.path_name}")
    module = unwrap_module(model.module)
    refs = resolve_layers(module, expand_presets(model, layers), model.taps)
    ensembles = [name for name in layers if name in ENSEMBLES]
    names = list(dict.fromkeys([*refs, *ensembles]))
    parts: dict[str, LayerRef] = dict(refs)
    for name in ensembles:
        parts |= {layer: parse_layer(layer) for layer, _, _ in find_ensemble_parts(module, name)}
    prepared, _ = load_stimulus(stimuli, 0, model.preprocessing, options.exposure)
    example = torch.as_tensor(prepared, device=model.device)[None]
    with torch.compiler.set_stance("force_eager"):
        probed: dict[str, ProbedLayer] = probe_layers(
            module, parts, lambda x: model.forward(module, model.normalize(x)), example
        )
    return make_targets(
        model, names, probed, options.pool, flatten=options.flatten, token_pool=options.pool_tokens
    )


def expand_presets(model: Model, layers: Sequence[str]) -> list[str]:
    """Replace ``recorded``, ``blocks``, ``stages`` and ``penultimate`` by the layers they stand for."""
    modules = dict(model.module.named_modules())
    names: list[str] = []
    for name in layers:
        if name == "recorded" and name not in modules:
            names += model.layers
        elif name.startswith("preset:") or (name in PRESETS and name not in modules):
            names += select_layers(model, name)
        else:
            names.append(name)
    return names


def list_asked_layers(model: Model, layers: Sequence[str]) -> list[str]:
    """Exact names that a list of names, patterns, presets and ensembles stands for."""
    refs = resolve_layers(unwrap_module(model.module), expand_presets(model, layers), model.taps)
    return [*refs, *(name for name in layers if name in ENSEMBLES)]


def resolve_settings(
    model: Model, stimuli: StimulusSet, targets: Sequence[Target], options: ExtractOptions, old: dict[str, Any] | None
) -> dict[str, Any]:
    """Everything that can change a byte of the store's values.

    Micro-batch and thread count are chosen when the store is first planned, from the work's size and
    the cores, and kept from then on.
    """
    device = model.device.type
    threads = options.threads or count_cores()
    if old is not None and options.batch_size in (None, old["micro_batch"]):
        micro_batch, intra_threads = old["micro_batch"], old["intra_threads"]
    else:
        n = len(stimuli) * options.replicates
        any_size = model.input_shape is None and stimuli.arrays is None
        micro_batch = options.batch_size or (1 if any_size else choose_micro_batch(targets, n, threads, device))
        intra_threads = 1 if math.ceil(n / micro_batch) >= threads else threads
    seeded = options.exposure is not None or options.reduce_to
    return {
        "format": FORMAT,
        "model": model.name,
        "weights": model.weights.sha256 or model.weights.tag,
        "preprocessing": model.preprocessing.to_dict(),
        "pool": options.pool,
        "pool_tokens": options.pool_tokens,
        "flatten": options.flatten,
        "reduce": {"method": "srp", "width": options.reduce_to} if options.reduce_to else None,
        "dtype": options.dtype,
        "precision": options.precision,
        "device": device,
        "exposure": options.exposure.to_dict() if options.exposure else None,
        "seed": options.seed if seeded else None,
        "micro_batch": micro_batch,
        "intra_threads": intra_threads,
    }


def choose_micro_batch(targets: Sequence[Target], n: int, threads: int, device: str) -> int:
    """Stimuli in one forward pass: 16 on the CPU, 64 on an accelerator, fewer when memory or work is small."""
    row_bytes = max(1, sum(math.prod(target.shape) * 4 for target in targets))
    most = _CPU_BATCH if device == "cpu" else _DEVICE_BATCH
    fitting = 2 ** int(math.log2(max(1, _BATCH_BYTES // row_bytes)))
    shared = math.ceil(n / threads) if device == "cpu" else n
    return max(1, min(most, fitting, shared))


def plan_passes(store: Path, targets: Sequence[Target], settings: dict[str, Any], n_stimuli: int) -> list[Pass]:
    """The passes of a store: those it was made with, and one more for layers that it does not hold yet.

    ``targets`` holds the layers asked for and those of the store.
    """
    path = job_folder(store).path / "layout.json"
    recorded: list[list[dict[str, Any]]] = read_json(path)["passes"] if path.exists() else []
    by_name = {target.name: target for target in targets}
    passes, seen = [], set()
    for record in recorded:
        layers = tuple(layout_from_dict(layer) for layer in record)
        seen |= {layer.name for layer in layers}
        passes.append(Pass(tuple(by_name[layer.name] for layer in layers), layers))
    fresh = [target for target in targets if target.name not in seen]
    if fresh:
        check_path_names([*seen, *by_name])
        rows = choose_shard_rows(fresh, settings, n_stimuli)
        layers = tuple(
            StoredLayer(target.name, axes, plan_layout(rows, shape, settings["dtype"]))
            for target in fresh
            for shape, axes in [_stored_shape(target, settings)]
        )
        passes.append(Pass(tuple(fresh), layers))
        write_json(path, {"passes": [[layout_to_dict(layer) for layer in job.layers] for job in passes]})
    return passes


def read_layout_names(store: Path) -> list[str]:
    """Layers that a store holds or was about to hold."""
    path = job_folder(store).path / "layout.json"
    return [layer["name"] for record in read_json(path)["passes"] for layer in record] if path.exists() else []


def _check_vacant(store: Path) -> None:
    if store.exists():
        raise ConfigurationChanged(
            "a new output, or one with its settings beside it",
            got=f"{store} without {job_folder(store).path.name}",
            hint="another output folder, or --overwrite to replace it",
        )


def _stored_shape(target: Target, settings: dict[str, Any]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    if settings["reduce"]:
        return (settings["reduce"]["width"],), ("component",)
    return target.shape, target.axes


def choose_shard_rows(targets: Sequence[Target], settings: dict[str, Any], n_stimuli: int) -> int:
    """Stimuli in one shard: whole micro-batches, about 32 MB, at most a few hundred shards."""
    size = settings["micro_batch"]
    row_bytes = max(1, sum(math.prod(target.shape) * 4 for target in targets))
    most = max(_SHARD_STIMULI, 2 ** math.ceil(math.log2(max(1, n_stimuli / _MAX_SHARDS))))
    return size * max(1, min(_SHARD_BYTES // (row_bytes * size), most // size))


def plan_shards(passes: Sequence[Pass], stimuli: StimulusSet, n_replicates: int) -> tuple[Shard, ...]:
    """Every piece of the work, in order."""
    shards = []
    for which, job in enumerate(passes):
        rows = job.layers[0].layout.rows
        for replicate in range(n_replicates):
            for start, stop in iter_shard_ranges(len(stimuli), rows):
                payload = {
                    "pass": which,
                    "replicate": replicate,
                    "start": start,
                    "stop": stop,
                    "ids": hash_settings(list(stimuli.ids[start:stop])),
                }
                shards.append(Shard(f"p{which}-r{replicate}-{start:08d}", stop - start, payload))
    return tuple(shards)


def _grow_store(
    store: Path,
    model: Model,
    stimuli: StimulusSet,
    passes: Sequence[Pass],
    options: ExtractOptions,
    settings: dict[str, Any],
) -> int:
    """Make or grow groups and arrays; returns the number of replicates the store now has."""
    with explain_write_errors(store):
        root = open_group(store, "a")
        n_replicates = max(options.replicates, int(root.attrs.get("n_replicates", 1)))  # type: ignore[arg-type]
        columns: dict[str, Any] = {
            "file": stimuli.files,
            "label": stimuli.labels,
            "target": stimuli.targets,
            **stimuli.conditions,
            "id": stimuli.ids,
        }
        attributes = {
            "format": FORMAT,
            "model": model.name,
            "path_name": model.path_name,
            "weights": {"tag": model.weights.tag, "sha256": model.weights.sha256},
            "settings": settings,
            "layers": [layer.name for job in passes for layer in job.layers],
            "n_replicates": n_replicates,
            "stimulus_root": str(stimuli.root) if stimuli.root else None,
            "stimulus_columns": ["id", *(name for name in columns if name != "id"), "sha256"],
            "selection": stimuli.selection,
            "versions": read_versions(),
            "complete": False,
        }
        old = {key: value for key, value in dict(root.attrs).items() if key != "complete"}
        if old != {key: value for key, value in attributes.items() if key != "complete"}:
            root.attrs.put(attributes)
        write_stimuli(root, columns)
        for job in passes:
            for layer in job.layers:
                create_layer(root, layer, len(stimuli), n_replicates)
                write_column(root[layer.path_name], "stimulus", stimuli.ids)  # type: ignore[arg-type]
    return n_replicates


def _finish_store(
    store: Path,
    model: Model,
    stimuli: StimulusSet,
    settings: dict[str, Any],
    receipts: Sequence[dict[str, Any]],
    options: ExtractOptions,
) -> None:
    hashes: list[str] = [""] * len(stimuli)
    smaller = []
    for receipt in receipts:
        start = receipt["payload"]["start"]
        if "sha256" in receipt["facts"]:
            hashes[start : receipt["payload"]["stop"]] = receipt["facts"]["sha256"]
        if "smaller_batch" in receipt["facts"]:
            smaller.append({**receipt["payload"], "batch": receipt["facts"]["smaller_batch"]})
    with explain_write_errors(store):
        root = open_group(store, "a")
        write_column(root["stimuli"], "sha256", hashes)  # type: ignore[arg-type]
        if not root.attrs.get("complete"):
            root.attrs["complete"] = True
    if smaller:
        logger.warning("%d shards were computed in smaller batches, for lack of memory", len(smaller))
    record_provenance(
        store.parent,
        store.name,
        settings,
        model={"name": model.name, "weights": asdict(model.weights)},
        stimuli=stimuli.describe(),
        seed=options.seed,
        workers=options.workers,
        smaller_batches=smaller,
    )


def _check_pickles(model: Model) -> None:
    import pickle

    try:
        pickle.dumps(model)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            "a model that can be sent to worker processes", got=f"{model.name}, which does not pickle ({error})",
            hint="workers=1, or a model file with file:PATH",
        ) from error  # fmt: skip
