"""Computing one shard of an extraction: decode, run, pool, write.

On the CPU every core takes whole micro-batches (one intra-op thread each), from the file to the
pooled values; on an accelerator, and of a compiled network, the cores decode ahead and one batch runs at a time.
A micro-batch has the same size and the same members wherever and whenever it is computed.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from beholder._core.cores import count_cores
from beholder._core.errors import BeholderError, InputError, is_out_of_memory
from beholder._core.progress import logger
from beholder._core.sizes import format_bytes
from beholder._core.wording import format_count
from beholder.activations.extraction._plan import MicroBatch, Pass, cut_micro_batches
from beholder.activations.extraction._postprocess import project_rows
from beholder.activations.forward._compiled import CompiledPass
from beholder.activations.forward._conduct import use_exact_math, use_threads
from beholder.activations.forward._hooks import ThreadTaps
from beholder.activations.forward._targets import Copy, make_consumer, route_parts
from beholder.activations.store._arrays import job_folder
from beholder.activations.store._shard_file import read_rows, shard_path, write_shard
from beholder.jobs import Files, Finish, Shard, has_content
from beholder.models import ImagePreprocessing, Model, ModelWorker, free_memory, load_stimulus, pin_memory
from beholder.stimuli import Exposure, StimulusSet

_SPARE = 2
"""Batches that wait for an accelerator beside those that are being decoded."""
_PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class ExtractWorker(ModelWorker):
    """Extracts shards of one model's store.

    Parameters
    ----------
    store : path
        The ``.zarr`` folder.
    model : Model
        Reaches worker processes as it is in memory.
    device : str
    stimuli : StimulusSet
    passes : sequence of Pass
    settings : mapping
        Of the store: ``micro_batch``, ``intra_threads``, ``channels_last``, …
    n_concurrent_batches : int
        Micro-batches in flight on the CPU; does not change any value.
    precision, exposure, reduce_to, seed
        As for :func:`extract`.
    """

    store: Path
    model: Model
    device: str
    stimuli: StimulusSet
    passes: Sequence[Pass]
    settings: Mapping[str, Any]
    n_concurrent_batches: int
    precision: str
    exposure: Exposure | None
    reduce_to: int | None
    seed: int
    lookahead: int = field(default=1, init=False)

    def count_bytes(self, shard: Shard) -> int:
        """Of the files of a shard, which are not compressed, and are of one size, the last one too."""
        layouts = [layer.layout for layer in self.passes[shard.payload["pass"]].layers]
        return sum(layout.row_bytes * layout.rows for layout in layouts)

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Load the model, set the threads, start the lanes."""
        model = self.model
        in_lanes = torch.device(self.device).type == "cpu" and not self.settings.get("compile")
        n_lanes = (self.n_concurrent_batches if in_lanes else count_cores()) // n_workers
        with (
            use_threads(self.settings["intra_threads"]),
            use_exact_math(self.precision),
            ThreadPoolExecutor(max(1, n_lanes), thread_name_prefix="beholder-lane") as pool,
        ):
            session = _ExtractionSession(self, model, pool, 0 if in_lanes else max(1, n_lanes) + _SPARE)
            try:
                yield session.start
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def cast_values(values: np.ndarray, dtype: str, layer: str) -> np.ndarray:
    """The values as they are stored; numbers that float16 cannot hold are an error, not infinite."""
    if dtype == str(values.dtype):
        return values
    with np.errstate(over="ignore"):
        stored = values.astype(dtype)
    lost = np.isinf(stored) & np.isfinite(values)
    if lost.any():
        largest = float(np.abs(values[lost]).max())
        raise InputError(
            f"values of at most {np.finfo(dtype).max:g} for --dtype {dtype}", got=f"{largest:g} at {layer}",
            hint="--dtype float32",
        )  # fmt: skip
    return stored


class _ExtractionSession:
    """A ready worker: a copy of the model a thread with hooks on, lanes running."""

    def __init__(self, worker: ExtractWorker, model: Model, pool: ThreadPoolExecutor, n_ahead: int) -> None:
        self._worker, self._model, self._pool, self._n_ahead = worker, model, pool, n_ahead
        self._in_lanes = not n_ahead
        self._compiled: dict[int, CompiledPass] = {}
        self._taps = ThreadTaps(model, channels_last=worker.settings["channels_last"], gives_output=True)
        arrays = worker.stimuli.arrays
        as_floats = arrays is not None and np.dtype(getattr(arrays, "dtype", np.uint8)).kind == "f"
        exposed = worker.exposure is not None
        self._as_uint8 = isinstance(model.preprocessing, ImagePreprocessing) and (exposed or not as_floats)
        self._device = torch.device(worker.device)
        self._folder = job_folder(worker.store)

    def start(self, shard: Shard) -> Finish:
        """Start a shard; where its activations find no room beside another's, it waits until that is written."""
        try:
            finish = self._start(shard)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            logger.warning("no room for the activations of two shards at once; one is computed after the other")

            def finish() -> tuple[Files, Mapping[str, Any]]:
                return self._start(shard)()

        def finish_or_explain() -> tuple[Files, Mapping[str, Any]]:
            try:
                return finish()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                size = sum(math.prod(each.shape) for each in self._worker.passes[shard.payload["pass"]].targets) * 4
                n_stimuli = shard.payload["stop"] - shard.payload["start"]
                needed = f"{format_count(n_stimuli, 'stimulus')}, {format_bytes(size * n_stimuli)}"
                raise BeholderError(
                    f"expected room for the activations of {needed}; "
                    f"got {str(error).splitlines()[0][:120]}; try fewer layers, --pool or, for a new store, a smaller "
                    "--batch_size: finished parts are kept"
                ) from error

        return finish_or_explain

    def _start(self, shard: Shard) -> Finish:
        payload = shard.payload
        which, start, stop = payload["pass"], payload["start"], payload["stop"]
        job = self._worker.passes[which]
        kept = self._keep_rows(shard)
        outputs = {
            target.name: torch.empty((stop - start, *target.shape), dtype=torch.float32) for target in job.targets
        }
        read: dict[int, tuple[str, list[int] | None]] = {}
        routes = route_parts(job.targets)
        tasks = cut_micro_batches(start, stop, start + kept, self._worker.settings["micro_batch"])
        replicate = payload["replicate"]
        state = (which, routes, outputs, start)

        def load(task: MicroBatch) -> Tensor | np.ndarray:
            batch = self._load(task.members, replicate, read)
            return batch if self._in_lanes else pin_memory(self._to_tensor(batch), self._device)

        def compute(task: MicroBatch) -> None:
            self._forward(task, load(task), *state)

        waiting = iter(tasks)
        futures: deque[tuple[MicroBatch, Future[Any]]] = deque()

        def submit(n: int | None) -> None:
            for task in itertools.islice(waiting, n):
                futures.append((task, self._pool.submit(compute if self._in_lanes else load, task)))

        submit(self._n_ahead or None)

        def finish() -> tuple[dict[str, tuple[int, str]], dict[str, Any]]:
            facts: dict[str, Any] = {}
            try:
                while futures:
                    task, future = futures.popleft()
                    batch = future.result()
                    submit(1)
                    if not self._in_lanes:
                        self._forward(task, batch, *state)
                    self._worker.report(task.rows.stop - task.rows.start)
            except (MemoryError, RuntimeError) as error:
                for _, future in futures:
                    future.cancel()
                if not is_out_of_memory(error):
                    raise
                facts["smaller_batch"] = self._redo_smaller(tasks, load, state, str(error))
            except BaseException:
                for _, future in futures:
                    future.cancel()
                raise
            files = self._write(shard, job, outputs, kept)
            old = self._read_old_facts(shard)
            what = [read.get(i) or old.get(i, ("", None)) for i in range(start, stop)]
            facts |= {"hashes": [digest for digest, _ in what], "marks": [mark for _, mark in what]}
            return files, facts

        return finish

    def _load(self, members: list[int], replicate: int, read: dict[int, Any]) -> np.ndarray:
        worker = self._worker
        made: dict[int, np.ndarray] = {}
        for i in dict.fromkeys(members):
            made[i], *what = load_stimulus(
                worker.stimuli,
                i,
                self._model.preprocessing,
                worker.exposure,
                replicate=replicate,
                seed=worker.seed,
                as_uint8=self._as_uint8,
            )
            read[i] = (what[0], what[1])
        shapes = sorted({array.shape for array in made.values()})
        if len(shapes) > 1:
            raise InputError(
                "stimuli of one shape after preprocessing", got=f"{shapes[0]} and {shapes[1]}", hint="--batch_size 1"
            )
        return np.stack([made[i] for i in members])

    def _forward(
        self,
        task: MicroBatch,
        batch: Any,
        which: int,
        routes: Mapping[str, Any],
        outputs: Mapping[str, Tensor],
        base: int,
    ) -> None:
        refs = {name: feeds[0][1].layer.ref for name, feeds in routes.items()}
        if self._worker.settings.get("compile"):
            if which not in self._compiled:
                self._compiled[which] = CompiledPass(self._taps.models.copy(), refs)
            model, tap = self._model, None
        else:
            model, tap = self._taps.get(which, refs)
        rows = slice(task.rows.start - base, task.rows.stop - base)
        dtype = _PRECISIONS.get(self._worker.precision)
        cast = torch.autocast(self._device.type, dtype) if dtype else contextlib.nullcontext()
        later: list[Copy] | None = None if self._device.type == "cpu" else []
        with torch.inference_mode(), cast, warnings.catch_warnings():
            x = (batch if isinstance(batch, Tensor) else self._to_tensor(batch)).to(self._device, non_blocking=True)
            if self._as_uint8:
                layout = torch.channels_last if self._worker.settings["channels_last"] else torch.contiguous_format
                x = x.contiguous(memory_format=layout)
            else:
                x = model.normalize(x)
            consume = make_consumer(routes, outputs, rows, task.keep, len(x), later)
            if tap is None:
                self._compiled[which].run(x, consume)
            else:
                with tap.collect(consume, stop=True):
                    tap.hand_over(model.run_input(x))
            for place, values in later or ():  # the first one waits for the pass
                place.copy_(values)

    def _to_tensor(self, batch: np.ndarray) -> Tensor:
        """A batch that is its own: 8-bit pixels normalised, all else as it was prepared."""
        if self._as_uint8 and isinstance(self._model.preprocessing, ImagePreprocessing):
            return self._model.preprocessing.normalize_uint8(batch)
        return torch.from_numpy(batch)

    def _redo_smaller(
        self, tasks: Sequence[MicroBatch], load: Callable[[MicroBatch], Any], state: Any, reason: str
    ) -> int:
        size = planned = self._worker.settings["micro_batch"]
        while size > 1:
            size = -(-size // 2)
            logger.warning("a batch of %d does not fit in memory; trying %d", planned, size)
            free_memory(self._device)
            try:
                for task in tasks:
                    for part in cut_micro_batches(task.rows.start, task.rows.stop, task.rows.start, size, align=False):
                        self._forward(part, load(part), *state)
                return size
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
        raise BeholderError(
            f"expected one stimulus to fit in memory on {self._device}; got {reason.splitlines()[0][:120]}; "
            "try another --device: finished parts are kept"
        )

    def _keep_rows(self, shard: Shard) -> int:
        """Rows of an earlier, part-filled version of this shard that need no computing."""
        old = self._folder.peek_receipt(shard.key)
        settings = self._folder.read_settings()
        if old is None or settings is None or old["payload"]["stop"] >= shard.payload["stop"]:
            return 0
        same = {key: value for key, value in old["payload"].items() if key not in ("stop", "ids")}
        if same != {key: value for key, value in shard.payload.items() if key not in ("stop", "ids")}:
            return 0
        whole = all(has_content(self._worker.store / name, digest) for name, digest in old["digests"].items())
        return old["payload"]["stop"] - old["payload"]["start"] if whole else 0

    def _read_old_facts(self, shard: Shard) -> dict[int, tuple[str, list[int] | None]]:
        """Hash and mark of the stimuli of an earlier, part-filled version of this shard."""
        facts = (self._folder.peek_receipt(shard.key) or {"facts": {}})["facts"]
        hashes = facts.get("hashes") or facts.get("sha256", [])
        marks = facts.get("marks") or [None] * len(hashes)
        start = shard.payload["start"]
        return {start + row: pair for row, pair in enumerate(zip(hashes, marks, strict=True))}

    def _write(self, shard: Shard, job: Pass, outputs: Mapping[str, Tensor], kept: int) -> dict[str, tuple[int, str]]:
        payload, worker = shard.payload, self._worker
        files = {}
        for target, layer in zip(job.targets, job.layers, strict=True):
            values = outputs[target.name].numpy()
            if worker.reduce_to:
                flat = values.reshape(len(values), -1)
                values = project_rows(flat, worker.reduce_to, worker.seed, target.name)
            folder = self._worker.store / layer.path_name / "values"
            path = shard_path(
                folder, payload["start"] // layer.layout.rows, payload["replicate"], len(layer.layout.features)
            )
            values = cast_values(values, layer.layout.dtype, target.name)
            if kept:
                values[:kept] = read_rows(path, layer.layout, 0, kept)
            name = path.relative_to(self._worker.store).as_posix()
            files[name] = write_shard(path, values, layer.layout)
        return files
