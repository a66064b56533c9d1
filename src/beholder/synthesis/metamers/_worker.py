"""Making the metamers of one shard, and committing their files."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.files import write_bytes
from beholder._core.progress import logger
from beholder.jobs import Finish, Shard
from beholder.models import Model, ModelWorker
from beholder.stimuli import StimulusSet, find_metamer_folder, name_metamer
from beholder.synthesis.engine._checkpoint import Checkpoint
from beholder.synthesis.metamers._bench import MetamerTask
from beholder.synthesis.metamers._measure import Measured
from beholder.synthesis.metamers._memory import log_not_finite
from beholder.synthesis.metamers._plan import prepare_original
from beholder.synthesis.metamers._session import (
    FinishedMetamer,
    MetamerSession,
    MetamerWork,
    make_rows,
    open_session,
    pack_numbers,
)

CHECKPOINT_EVERY = 500
"""Steps between two writings of the state of a metamer in work."""


@dataclass
class MetamerWorker(ModelWorker):
    """Makes, writes and measures metamers.

    Parameters
    ----------
    output : path
        ``metamers/{model}``.
    model : Model
        Reaches worker processes as it is in memory.
    device : str
    stimuli : StimulusSet
        Holds those of all shards.
    work : MetamerWork
    jobs : path
        The job folder, where states are kept.
    told : mapping of str to (str, str)
        Of each stimulus its class and the decision that its set asks for, as first recorded.
    """

    output: Path
    model: Model
    device: str
    stimuli: StimulusSet
    work: MetamerWork
    jobs: Path
    told: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    model_name: str = field(init=False)
    lookahead: int = field(init=False)

    def __post_init__(self) -> None:
        assert isinstance(self.model, Model)
        self.model_name = self.model.name
        self.lookahead = self.work.n_concurrent_batches if self.work.n_concurrent_batches > 1 else 0

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Load the model, put the hooks on, start the lanes."""
        model = self.model
        n_concurrent_batches = max(1, self.work.n_concurrent_batches // n_workers)
        with (
            open_session(model, self.work) as session,
            ThreadPoolExecutor(n_concurrent_batches, thread_name_prefix="beholder-metamer") as pool,
        ):
            runner = _ShardRunner(self, model, session)

            def start(shard: Shard) -> Finish:
                future = pool.submit(runner.work, shard)
                return future.result

            try:
                yield start
            finally:
                session.runner.cancel()
                pool.shutdown(wait=True, cancel_futures=True)


@dataclass
class _ShardRunner:
    """A ready worker."""

    worker: MetamerWorker
    model: Model
    session: MetamerSession

    def work(self, shard: Shard) -> tuple[dict[str, int], dict[str, Any]]:
        """Make, measure and write the metamers of a shard; files and facts for its receipt."""
        state = self.worker.jobs / "state" / shard.key
        tasks = self._list_tasks(shard)
        empty = self.session.find_empty(tasks)
        facts: dict[str, Any] = {"skipped": [], "metamers": []}
        for task in (task for task, is_empty in zip(tasks, empty, strict=True) if is_empty):
            logger.warning("%s: %s is zero everywhere, so there is nothing to match", task.stimulus_id, task.layer)
            facts["skipped"].append({"stimulus_id": task.stimulus_id, "reason": "all zero"})
        left = [task for task, is_empty in zip(tasks, empty, strict=True) if not is_empty]
        sizes: dict[str, int] = {}
        if left:
            checkpoint = Checkpoint(state, {"shard": dict(shard.payload)}, CHECKPOINT_EVERY)
            for finished in self.session.make(left, checkpoint):
                self._write(finished, sizes, facts)
        shutil.rmtree(state, ignore_errors=True)
        return sizes, facts

    def _list_tasks(self, shard: Shard) -> list[MetamerTask]:
        payload, stimuli, told = shard.payload, self.worker.stimuli, self.worker.told
        positions = [stimuli.index_of(stimulus_id) for stimulus_id in payload["stimuli"]]
        return [
            MetamerTask(
                payload["layer"],
                stimuli.ids[i],
                payload["seed"],
                prepare_original(self.model, stimuli, i),
                *told.get(stimuli.ids[i], ()),
            )
            for i in positions
        ]

    def _write(self, finished: FinishedMetamer, sizes: dict[str, int], facts: dict[str, Any]) -> None:
        worker, task, made, form = self.worker, finished.task, finished.made, self.session.form
        folder = find_metamer_folder(worker.output, task.layer, task.stimulus_id)
        stem = folder / name_metamer(task.seed)

        def commit(suffix: str, data: bytes) -> Path:
            path = stem.with_name(stem.name + suffix)
            write_bytes(path, data)
            sizes[path.relative_to(worker.output).as_posix()] = len(data)
            return path

        path = commit(form.suffix, form.encode(made.image))
        saved = self.session.measurer.compare(task.stimulus_id, task.original, form.decode(path))
        losses = io.BytesIO()
        np.save(losses, made.losses, allow_pickle=False)
        commit(".losses.npy", losses.getvalue())
        description = self._describe(finished, saved)
        commit(".json", (json.dumps(description, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())
        rows = make_rows(finished, saved, worker.model_name, worker.work.recipe.name)
        facts["metamers"].append(
            {"stimulus_id": task.stimulus_id, "stopped_by": made.stopped_by, "rows": [pack_numbers(r) for r in rows]}
        )
        if made.is_halved:
            facts["smaller_batches"] = True
        log_not_finite(finished)

    def _describe(self, finished: FinishedMetamer, saved: Measured) -> dict[str, Any]:
        """What stands beside a metamer."""
        task, made, plan = finished.task, finished.made, self.session.runner.plans[finished.task.layer]
        form = self.session.form
        described: dict[str, Any] = {
            "model": self.worker.model_name,
            "layer": task.layer,
            "stimulus_id": task.stimulus_id,
            "seed": task.seed,
            "recipe": self.worker.work.recipe.to_dict(),
            "steps": made.steps,
            "stopped_by": made.stopped_by,
            "loss": _pack(finished.loss),
            "rectifiers_passed": plan.n_rectifiers,
            "decision": finished.decision,
            "rule": finished.rule,
            "predictions": {
                "original": finished.original.to_dict(),
                "metamer": finished.unrounded.prediction.to_dict(),
                "metamer_saved": saved.prediction.to_dict(),
            },
        }
        if form.suffix == ".wav":
            described["sample_rate"] = form.sample_rate
            described["rms"] = _pack(_compute_rms(made.image))
            described["rms_original"] = _pack(_compute_rms(task.original))
        return described


def _compute_rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def _pack(value: float) -> float | None:
    return value if np.isfinite(value) else None
