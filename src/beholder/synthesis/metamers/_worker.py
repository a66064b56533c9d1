"""Making the metamers of one shard, and committing their files."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from beholder._core.files import write_bytes
from beholder._core.settings import keep_batch_size
from beholder.jobs import Shard
from beholder.stimuli import StimulusSet, find_metamer_folder, name_metamer
from beholder.synthesis.engine._checkpoint import Checkpoint, describe_model
from beholder.synthesis.engine._session import Made, SessionWorker, SynthesisSession, count_threads
from beholder.synthesis.engine._validate import make_example, settle_layout
from beholder.synthesis.metamers._maker import FinishedMetamer, MetamerMaker, MetamerTask, list_target_layers
from beholder.synthesis.metamers._measure import Measured
from beholder.synthesis.metamers._plan import FORMAT, prepare_original
from beholder.synthesis.metamers._recipe import MetamerRecipe
from beholder.synthesis.metamers._results import make_rows, pack_numbers

_CPU_BATCH, _DEVICE_BATCH = 1, 32
CHECKPOINT_EVERY = 500
"""Steps between two writings of the state of a metamer in work."""


@dataclass
class MetamerWorker(SessionWorker):
    """What is done to each stimulus, the same in every process and in memory.

    Parameters
    ----------
    stimuli : StimulusSet
        Holds those of all shards.
    layers, measured : sequence of str
        Matched and measured layers.
    recipe : MetamerRecipe
    rule : {"first", "mean", "max", "sum"}
        How a category follows from classes.
    output, jobs : path
        ``metamers/{model}``, and the job folder, where states are kept; nowhere for what stays in memory.
    told : mapping of str to (str, str)
        Of each stimulus its class and the decision that its set asks for, as first recorded.
    """

    keeps_state: ClassVar[bool] = True

    stimuli: StimulusSet
    layers: Sequence[str]
    measured: Sequence[str]
    recipe: MetamerRecipe
    rule: str = "first"
    output: Path = Path()
    jobs: Path = Path()
    told: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.may_end_early = not self.recipe.is_published or self.recipe.target_db is not None

    def resolve_settings(
        self,
        n_metamers: int,
        old: Mapping[str, Any] | None = None,
        batch_size: int | None = None,
        *,
        renew: bool = False,
        is_stored: bool = True,
    ) -> dict[str, Any]:
        """Everything that can change a byte. Batch size and threads are chosen when an output is first planned.

        On the CPU a metamer is a batch of its own and every core works on another one, with one thread, unless there
        are fewer metamers than cores. An output keeps its own, unless it is made anew (``renew``) with another batch
        size.
        """
        if old is not None and (not renew or batch_size in (None, old["batch_size"])):
            batch, intra_threads = keep_batch_size(batch_size, old, "metamers"), old["intra_threads"]
        else:
            usual = _CPU_BATCH if self.model.device.type == "cpu" else _DEVICE_BATCH
            batch = usual if batch_size is None else batch_size
            intra_threads = count_threads(self.cores, -(-n_metamers // batch), self.model)
        example = make_example(self.model, self.shape)
        return {
            "format": FORMAT,
            "model": describe_model(self.model, identify=is_stored),
            "recipe": self.recipe.to_dict(),
            "device": self.model.device.type,
            "batch_size": batch,
            "intra_threads": intra_threads,
            "rule": self.rule,
            "shape": list(self.shape),
            "channels_last": settle_layout(self.model, self.layers, example, old),
        }

    def list_layers(self) -> list[str]:
        """Those that are matched."""
        return list_target_layers(self.model, self.layers)

    def open_maker(self, session: SynthesisSession) -> MetamerMaker:
        """Look at every layer."""
        return MetamerMaker(session, self.layers, self.measured, self.recipe, self.rule)

    def prepare(self, session: SynthesisSession) -> Callable[[Shard], Made]:
        """As :class:`SessionWorker` has it."""
        return partial(self._make_shard, self.open_maker(session))

    def _make_shard(self, maker: MetamerMaker, shard: Shard) -> Made:
        """Make, measure and write the metamers of a shard."""
        state = self.jobs / "state" / shard.key
        checkpoint = Checkpoint(state, {"shard": dict(shard.payload)}, CHECKPOINT_EVERY)
        advance = self.count_steps(shard, shard.size * self.recipe.steps)
        finished, empty = maker.make(self._list_tasks(shard), checkpoint, advance)
        facts: dict[str, Any] = {
            "skipped": [{"stimulus_id": task.stimulus_id, "reason": "all zero"} for task in empty], "metamers": [],
        }  # fmt: skip
        sizes: dict[str, int] = {}
        for each in finished:
            self._write(maker, each, sizes, facts)
        shutil.rmtree(state, ignore_errors=True)
        return sizes, facts

    def _list_tasks(self, shard: Shard) -> list[MetamerTask]:
        layer, seed = shard.payload["layer"], shard.payload["seed"]
        tasks = []
        for stimulus_id in shard.payload["stimuli"]:
            original = prepare_original(self.model, self.stimuli, self.stimuli.index_of(stimulus_id))
            tasks.append(MetamerTask(layer, stimulus_id, seed, original, *self.told.get(stimulus_id, ())))
        return tasks

    def _write(
        self, maker: MetamerMaker, finished: FinishedMetamer, sizes: dict[str, int], facts: dict[str, Any]
    ) -> None:
        task, made, form = finished.task, finished.made, maker.form
        stem = find_metamer_folder(self.output, task.layer, task.stimulus_id) / name_metamer(task.seed)

        def commit(suffix: str, data: bytes) -> Path:
            path = stem.with_name(stem.name + suffix)
            write_bytes(path, data)
            sizes[path.relative_to(self.output).as_posix()] = len(data)
            return path

        path = commit(form.suffix, form.encode(finished.image))
        saved = maker.measurer.compare(task.stimulus_id, task.original, form.decode(path))
        losses = io.BytesIO()
        np.save(losses, made.losses[0], allow_pickle=False)
        commit(".losses.npy", losses.getvalue())
        description = self._describe(maker, finished, saved)
        commit(".json", (json.dumps(description, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())
        rows = make_rows(finished, saved, self.model.name, self.recipe.name)
        facts["metamers"].append(
            {"stimulus_id": task.stimulus_id, "stopped_by": made.stopped_by, "rows": [pack_numbers(r) for r in rows]}
        )
        if made.is_halved:
            facts["smaller_batches"] = True

    def _describe(self, maker: MetamerMaker, finished: FinishedMetamer, saved: Measured) -> dict[str, Any]:
        """What stands beside a metamer."""
        task, made, form = finished.task, finished.made, maker.form
        described: dict[str, Any] = {
            "model": self.model.name,
            "layer": task.layer,
            "stimulus_id": task.stimulus_id,
            "seed": task.seed,
            "recipe": self.recipe.to_dict(),
            "steps": made.steps,
            "stopped_by": made.stopped_by,
            "loss": _pack(finished.loss),
            "rectifiers_passed": maker.plans[task.layer].n_rectifiers,
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
            described["rms"] = _pack(_compute_rms(finished.image))
            described["rms_original"] = _pack(_compute_rms(task.original))
        return described


def _compute_rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def _pack(value: float) -> float | None:
    return value if np.isfinite(value) else None
