"""Planning an extraction: what decides a value's bytes, and how the work is cut.

The settings, whose hash every receipt carries, hold everything that can change a byte of a finished
shard; what may grow (layers, stimuli, replicates) is in the layout beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beholder._core.cores import count_cores
from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.hashing import hash_settings
from beholder._core.progress import tell
from beholder._core.seeds import DEFAULT_SEED
from beholder.activations.forward._targets import POOLS, Target, check_path_names
from beholder.activations.store._arrays import (
    FORMAT,
    StoredLayer,
    job_folder,
    layout_from_dict,
    layout_to_dict,
)
from beholder.activations.store._shard_file import plan_layout
from beholder.jobs import Shard, cut_range
from beholder.models import Model, describe_preprocessing, identify_model
from beholder.stimuli import Exposure, StimulusSet

DTYPES = ("float32", "float16")
PRECISIONS = ("fp32", "bf16", "fp16")
_LAYOUT = "layout.json"
_CPU_BATCH = 16
_DEVICE_BATCH = 64
_SHARD_BYTES = 64 * 2**20
_BATCH_BYTES = 64 * 2**20
_SHARD_STIMULI = 256
_MAX_SHARDS = 64


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
    axes: Mapping[str, Sequence[str]] | None = None
    compile: bool = False

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
            if value is not None and value > MOST:
                raise InputError(f"--{name} of at most {MOST}", got=str(value))


@dataclass(frozen=True)
class Pass:
    """Layers that are extracted together: their targets, and how they lie in the store."""

    targets: tuple[Target, ...]
    layers: tuple[StoredLayer, ...]


MOST = 1 << 20
"""Of what is counted out before anything runs: threads, stimuli in a pass, which are padded to that number, …"""


def resolve_settings(
    model: Model, stimuli: StimulusSet, targets: Sequence[Target], options: ExtractOptions, old: dict[str, Any] | None
) -> dict[str, Any]:
    """Everything that can change a byte of the store's values.

    Micro-batch and thread count are chosen when the store is first planned, from the work's size and
    the cores, and kept from then on.
    """
    device = model.device.type
    threads = options.threads or count_cores()
    if old is not None and old["device"] == device:
        if options.batch_size not in (None, old["micro_batch"]):
            tell(
                "the store was begun with %d stimuli in a pass, which it keeps; --batch_size %d is left out",
                old["micro_batch"],
                options.batch_size,
            )
        micro_batch, intra_threads = old["micro_batch"], old["intra_threads"]
    else:
        n = len(stimuli) * options.replicates
        any_size = model.input_shape is None and stimuli.arrays is None
        micro_batch = options.batch_size or (1 if any_size else choose_micro_batch(targets, n, threads, device))
        intra_threads = 1 if math.ceil(n / micro_batch) >= threads and not options.compile else threads
    seeded = options.exposure is not None or options.reduce_to
    return {
        "format": FORMAT,
        "model": model.name,
        "network": identify_model(model, readout=False),
        "preprocessing": describe_preprocessing(model),
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
        **({"compile": True} if options.compile else {}),
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
    recorded = _read_layout(store)
    by_name = {target.name: target for target in targets}
    passes, seen = [], set()
    for record in recorded:
        layers = tuple(layout_from_dict(layer) for layer in record)
        for layer in layers:
            target = by_name[layer.name]
            if settings["reduce"] is None and (layer.axes, layer.layout.features) != (target.axes, target.shape):
                old, new = _name_sizes(layer.axes, layer.layout.features), _name_sizes(target.axes, target.shape)
                raise ConfigurationChanged(
                    f"the axes that {layer.name!r} of {store} was made with: {old}", got=new,
                    hint="another output folder, or --overwrite to replace it",
                )  # fmt: skip
            if layer.origin != target.origin:
                raise ConfigurationChanged(
                    f"the class names that {layer.name!r} of {store} was made with, or the tap that it was",
                    got="others", hint="another output folder, or --overwrite to replace it",
                )  # fmt: skip
        seen |= {layer.name for layer in layers}
        passes.append(Pass(tuple(by_name[layer.name] for layer in layers), layers))
    fresh = [target for target in targets if target.name not in seen]
    if fresh:
        check_path_names([*seen, *by_name])
        rows = choose_shard_rows(fresh, settings, n_stimuli)
        layers = tuple(
            StoredLayer(target.name, axes, plan_layout(rows, shape, settings["dtype"]), target.origin)
            for target in fresh
            for shape, axes in [_stored_shape(target, settings)]
        )
        passes.append(Pass(tuple(fresh), layers))
        job_folder(store).write_record(
            _LAYOUT, {"passes": [[layout_to_dict(layer) for layer in job.layers] for job in passes]}
        )
    return passes


def _name_sizes(axes: Sequence[str], shape: Sequence[int]) -> str:
    return " × ".join(f"{axis} {size}" for axis, size in zip(axes, shape, strict=True)) or "one value"


def read_layout_names(store: Path) -> list[str]:
    """Layers that a store holds or was about to hold."""
    return [layer["name"] for record in _read_layout(store) for layer in record]


def read_passes(store: Path) -> list[Pass]:
    """The passes of a store, without what computes them."""
    return [Pass((), tuple(map(layout_from_dict, record))) for record in _read_layout(store)]


def _read_layout(store: Path) -> list[list[dict[str, Any]]]:
    return (job_folder(store).read_record(_LAYOUT) or {"passes": []})["passes"]


def _stored_shape(target: Target, settings: dict[str, Any]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    if settings["reduce"]:
        return (settings["reduce"]["width"],), ("component",)
    return target.shape, target.axes


def choose_shard_rows(targets: Sequence[Target], settings: dict[str, Any], n_stimuli: int) -> int:
    """Stimuli in one shard: whole micro-batches, about 64 MB, at most a few dozen shards unless they are large."""
    size = settings["micro_batch"]
    row_bytes = max(1, sum(math.prod(target.shape) * 4 for target in targets))
    most = max(_SHARD_STIMULI, 2 ** math.ceil(math.log2(max(1, n_stimuli / _MAX_SHARDS))))
    return size * max(1, min(_SHARD_BYTES // (row_bytes * size), most // size))


def plan_shards(
    passes: Sequence[Pass], stimuli: StimulusSet, n_replicates: int, asked: Set[str] | None = None
) -> tuple[Shard, ...]:
    """Every piece of the work, in order; or of the passes alone that hold a layer that is asked for."""
    shards = []
    for which, job in enumerate(passes):
        if asked is not None and asked.isdisjoint(layer.name for layer in job.layers):
            continue
        rows = job.layers[0].layout.rows
        for replicate in range(n_replicates):
            for start, stop in cut_range(0, len(stimuli), rows):
                payload = {
                    "pass": which,
                    "replicate": replicate,
                    "start": start,
                    "stop": stop,
                    "ids": hash_settings(list(stimuli.ids[start:stop])),
                }
                shards.append(Shard(f"p{which}-r{replicate}-{start:08d}", stop - start, payload, part=f"pass {which}"))
    return tuple(shards)


@dataclass
class MicroBatch:
    """One micro-batch: which slots are computed, and which stimulus stands in each slot."""

    rows: slice
    keep: slice
    members: list[int]


def cut_micro_batches(start: int, stop: int, first: int, size: int, *, align: bool = True) -> list[MicroBatch]:
    """Cut ``[start, stop)`` into micro-batches; those wholly before ``first`` are skipped.

    Slots before ``first`` (already stored) and after ``stop`` are padded with a computed member, so
    that a stimulus has the same slot of the same size whenever it is computed.
    """
    tasks = []
    for low in range(start, stop, size):
        high = min(low + size, stop)
        begin = max(low, first)
        if begin >= high:
            continue
        slots = range(low, low + size) if align else range(low, high)
        members = [i if begin <= i < high else begin for i in slots]
        tasks.append(MicroBatch(slice(begin, high), slice(begin - low, high - low), members))
    return tasks
