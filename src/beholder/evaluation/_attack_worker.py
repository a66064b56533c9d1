"""Attacking stimuli of one shard at one radius, and noting what the network answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError, is_out_of_memory
from beholder._core.seeds import derive_seed
from beholder._core.threads import open_threads
from beholder.evaluation._attack_passes import (
    attack_batch,
    choose_targets,
    compute_answers,
    find_end,
    judge_logits,
    measure_sizes,
)
from beholder.evaluation._attack_protocol import TRANSFER, AttackProtocol
from beholder.evaluation._attacked_files import (
    NATURAL,
    name_set,
    read_attacked_stimuli,
    write_attacked_stimuli,
)
from beholder.jobs import Finish, Shard
from beholder.models import (
    Model,
    ModelWorker,
    explain_shape_errors,
    fork_random,
    free_memory,
    prepare_stimulus,
    run_eagerly,
)
from beholder.stimuli import StimulusSet
from beholder.synthesis import Attacked, AttackSpace, StimulusFormat, measure_norms, open_attack_space, run_pgd

HALVED = "smaller_batches"
BATCHES_IN_SHARD = 4


@dataclass
class AttackWorker(ModelWorker):
    """Attacks stimuli, or takes what another network's attack made of them, and notes the answers.

    Parameters
    ----------
    stimuli : StimulusSet
        Pinned; shards name positions in it.
    labels : (n_stimuli,), int64
        Right answers, as outputs of the network.
    model : Model
    device : str
    protocol : AttackProtocol
    batch_size : int
        Stimuli in one pass; the last is padded, so that no answer depends on what else is attacked.
    threads : int
        In an operation.
    cores : int
        For passes side by side.
    is_noisy : bool
        The network draws random numbers: one pass at a time.
    seed : int
        Of random starts, noise, targets, and of what networks draw themselves.
    output : path, optional
        Where attacked stimuli are written, if they are.
    source : Model, optional
        The network whose attacks are shown (``transfer``).
    source_labels : (n_stimuli,), int64, optional
        Right answers, as its outputs.
    source_identity : str
        Of the network, or of the saved stimuli in its place.
    saved : path, optional
        The folder that saved attacked stimuli lie in.
    saved_files : mapping of float to sequence of (str, str)
        At each radius a file and its hash for every stimulus.
    """

    stimuli: StimulusSet
    labels: np.ndarray
    model: Model
    device: str
    protocol: AttackProtocol
    batch_size: int
    threads: int
    cores: int
    is_noisy: bool
    seed: int
    output: Path | None = None
    source: Model | None = None
    source_labels: np.ndarray | None = None
    source_identity: str = ""
    saved: Path | None = None
    saved_files: Mapping[float, Sequence[Sequence[str]]] = field(default_factory=dict)

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Get the networks ready, with the threads that the output keeps, and passes side by side on further cores."""
        side_by_side = max(1, self.cores // (self.threads * n_workers))
        if self.is_noisy or self.model.device.type != "cpu":
            side_by_side = 1
        self.lookahead = side_by_side // BATCHES_IN_SHARD
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            space = open_attack_space(self.model, self.protocol.space)
            source = None if self.source is None else open_attack_space(self.source, self.protocol.space)
            with open_threads(side_by_side, "beholder-attack") as pool, run_eagerly():
                run = _Run(self, space, source, None if side_by_side == 1 else pool)
                yield run.start
        finally:
            torch.set_num_threads(threads)


@final
@dataclass
class _Run:
    """One process's work."""

    worker: AttackWorker
    space: AttackSpace
    source: AttackSpace | None
    pool: ThreadPoolExecutor | None

    def start(self, shard: Shard) -> Finish:
        """Begin a shard's passes, where others run beside; what comes back waits for them."""
        rows, size = list(shard.payload["positions"]), self.worker.batch_size
        parts = [_Batch(rows[first : first + size], size, first) for first in range(0, len(rows), size)]
        begun = [
            partial(self._work, shard, part) if self.pool is None else self.pool.submit(self._work, shard, part).result
            for part in parts
        ]
        return partial(self._finish, begun, parts)

    def _finish(
        self, begun: Sequence[Callable[[], dict[str, Any]]], parts: Sequence[_Batch]
    ) -> tuple[dict[str, int], dict[str, Any]]:
        """Files and facts of a shard: a list a column, in the order of its stimuli."""
        columns: dict[str, list[Any]] = {}
        files: dict[str, int] = {}
        halved: dict[str, Any] = {}
        for wait, part in zip(begun, parts, strict=True):
            found = wait()
            files |= found.pop("files", {})
            halved |= {HALVED: True} if found.pop(HALVED, False) else {}
            for name, values in found.items():
                columns.setdefault(name, []).extend(np.asarray(values)[: len(part.rows)].tolist())
            self.worker.report(len(part.rows))
        return files, columns | halved

    def _work(self, shard: Shard, batch: _Batch) -> dict[str, Any]:
        """What one pass's stimuli give; where memory does not suffice, in halves, which is noted."""
        try:
            return self._work_at_once(shard, batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(batch.padded) == 1:
                raise InputError(
                    f"memory for an attack on one stimulus on {self.worker.device}", got="too little",
                    hint="--device cpu",
                ) from error  # fmt: skip
        free_memory(self.worker.model.device)
        half = len(batch.padded) // 2
        found: dict[str, Any] = {}
        for first in range(0, len(batch.rows), half):
            part = _Batch(batch.rows[first : first + half], half, batch.first + first)
            made = self._work(shard, part)
            made.pop(HALVED, None)
            found["files"] = {**found.get("files", {}), **made.pop("files", {})}
            for name, values in made.items():
                found[name] = [*found.get(name, []), *np.asarray(values)[: len(part.rows)].tolist()]
        return {**found, HALVED: True}

    def _work_at_once(self, shard: Shard, batch: _Batch) -> dict[str, Any]:
        parts = {"clean": self._clean, "attack": self._attack, "checks": self._check}
        x = self._prepare(batch)
        with explain_shape_errors(self.worker.model, tuple(x.shape[1:])), self._draw_from(shard, batch):
            return parts[shard.payload["part"]](shard.payload, batch, x)

    @contextlib.contextmanager
    def _draw_from(self, shard: Shard, batch: _Batch) -> Iterator[None]:
        """What the network draws itself comes from the seed; afterwards the program draws what it would have."""
        if self.pool is not None:  # it draws nothing
            yield
            return
        with fork_random(self.worker.model.device):
            torch.manual_seed(derive_seed(self.worker.seed, "network", shard.key, batch.first))
            yield

    def _prepare(self, batch: _Batch) -> Tensor:
        worker = self.worker
        made = [prepare_stimulus(worker.model.preprocessing, worker.stimuli, i) for i in batch.rows]
        shapes = sorted({array.shape for array in made})
        if len(shapes) > 1:
            raise InputError("stimuli of one shape after preprocessing", got=f"{shapes[0]} and {shapes[1]}")
        made += made[:1] * (len(batch.padded) - len(made))
        return torch.from_numpy(np.stack(made)).to(worker.model.device)

    def _clean(self, payload: Mapping[str, Any], batch: _Batch, x: Tensor) -> dict[str, Any]:
        """Answers to the stimuli as they are."""
        inside = self.space.enter(x)
        told = self._judge(self._answer(inside), batch)
        if payload.get("saved"):
            told |= self._save(NATURAL, batch, x, x, None)
        return told

    def _attack(self, payload: Mapping[str, Any], batch: _Batch, x: Tensor) -> dict[str, Any]:
        """What one attack at one radius found."""
        norm, attack, eps = payload["norm"], payload["attack"], float(payload["eps"])
        inside = self.space.enter(x)
        targets = self._find_targets(inside, batch)
        if attack == TRANSFER and payload["source"] != self.worker.source_identity:
            raise InputError("--transfer as in the earlier run", got="another, and earlier records are gone")
        if attack == TRANSFER and self.source is None:
            made = self.space.enter(self._read_saved(eps, batch))
            logits, flat = self._answer(made), None
            sizes = measure_norms(made - inside, norm).cpu().numpy()
        elif self.source is not None and attack == TRANSFER:
            made = self._run(self.source, payload["base"], norm, eps, inside, batch, self._source_labels(batch)).x
            logits, sizes, flat = self._answer(made), measure_sizes(made, inside, norm, eps), None
        else:
            found = self._run(self.space, attack, norm, eps, inside, batch, self._own_labels(batch), targets)
            made, logits, flat = found.x, found.logits, found.n_flat
            sizes = measure_sizes(made, inside, norm, eps)
        told = self._judge(logits, batch) | {"size": sizes}
        if targets is not None:
            told["reached"] = (logits.argmax(1) == targets).cpu().numpy()
        if flat is not None:
            told["flat"] = (flat > 0).cpu().numpy()
        if payload.get("saved"):
            told |= self._save("" if attack == TRANSFER else name_set(norm, attack, eps), batch, made, x, norm)
        return told

    def _check(self, payload: Mapping[str, Any], batch: _Batch, x: Tensor) -> dict[str, Any]:
        """One step, twice the steps, a radius without bounds, and gradients that are 0: signs that they are masked."""
        norm, attack, eps = payload["norm"], payload["attack"], float(payload["eps"])
        inside, labels, worker = self.space.enter(x), self._own_labels(batch), self.worker
        ends: dict[str, Any] = {"low": self.space.low, "high": self.space.high}
        once = run_pgd(
            self.space.predict, inside, labels, norm=norm, radius=eps, n_steps=1, step_size=eps, keep="last",
            n_draws=worker.protocol.eot, **ends,
        )  # fmt: skip
        longer = self._run(self.space, attack, norm, eps, inside, batch, labels, protocol=worker.protocol.lengthen())
        unbounded = self._run(
            self.space, attack, norm, find_end(self.space, norm, eps, inside), inside, batch, labels,
            protocol=replace(worker.protocol, step_size=None),
        )  # fmt: skip
        told = {"one_step": once, "more_steps": longer, "unbounded": unbounded}
        right = {name: (~found.is_wrong).cpu().numpy() for name, found in told.items()}
        return {**right, "zero_gradient": (once.n_flat > 0).cpu().numpy()}

    def _run(
        self,
        space: AttackSpace,
        attack: str,
        norm: str,
        eps: float,
        inside: Tensor,
        batch: _Batch,
        labels: Tensor,
        targets: Tensor | None = None,
        protocol: AttackProtocol | None = None,
    ) -> Attacked:
        worker, protocol = self.worker, protocol or self.worker.protocol
        path = (norm, attack, f"{eps:.12g}")
        generators = [
            torch.Generator().manual_seed(derive_seed(worker.seed, "attack", *path, worker.stimuli.ids[i]))
            for i in batch.padded
        ]
        settings = protocol.settle(attack, eps)
        return attack_batch(space, settings, inside, labels, norm=norm, eps=eps, generators=generators, targets=targets)

    def _own_labels(self, batch: _Batch) -> Tensor:
        return torch.from_numpy(self.worker.labels[batch.padded]).to(self.worker.model.device)

    def _source_labels(self, batch: _Batch) -> Tensor:
        assert self.worker.source_labels is not None
        return torch.from_numpy(self.worker.source_labels[batch.padded]).to(self.worker.model.device)

    def _find_targets(self, inside: Tensor, batch: _Batch) -> Tensor | None:
        """The answers to be brought about."""
        asked, worker = self.worker.protocol.targets, self.worker
        if asked is None:
            return None
        ids = [worker.stimuli.ids[i] for i in batch.padded]
        return choose_targets(asked, self._answer(inside), self._own_labels(batch), worker.seed, ids)

    def _answer(self, inside: Tensor) -> Tensor:
        """Logits; of several passes, their mean."""
        return compute_answers(self.space, inside, self.worker.protocol.eot)

    def _judge(self, logits: Tensor, batch: _Batch) -> dict[str, Any]:
        """Whether the label is the first answer, or among the first five; and the first answer."""
        return judge_logits(logits, self.worker.labels[batch.padded])

    def _save(self, folder: str, batch: _Batch, made: Tensor, x: Tensor, norm: str | None) -> dict[str, Any]:
        """Write stimuli as people are shown them, and note answers to the files' content and how far that is off.

        Without a folder nothing is written: what the files would hold is looked at all the same.
        """
        worker = self.worker
        assert worker.output is not None
        form = StimulusFormat.of_model(worker.model, tuple(x.shape[1:]))
        values = made.detach().cpu().numpy()
        files: dict[str, int] = {}
        if folder:
            ids = [worker.stimuli.ids[row] for row in batch.rows]
            files = write_attacked_stimuli(worker.output / folder, ids, values, form, worker.output.parent)
        rounded = torch.from_numpy(form.round(values)).to(x.device)
        told = self._judge(self._answer(rounded), batch)
        sizes = np.zeros(len(values)) if norm is None else measure_norms(rounded - x, norm).cpu().numpy()
        saved = {"top1_saved": told["top1"], "top5_saved": told["top5"], "size_saved": sizes}
        return {**saved, "files": files}

    def _read_saved(self, eps: float, batch: _Batch) -> Tensor:
        """Attacked stimuli from files, shown as they are."""
        worker = self.worker
        assert worker.saved is not None
        files = [worker.saved_files[eps][i] for i in batch.padded]
        made = read_attacked_stimuli(worker.saved, files, worker.model.preprocessing)
        return torch.from_numpy(made).to(worker.model.device)


@final
class _Batch:
    """Positions of the stimuli of one pass, and the same padded by the first to a full batch."""

    def __init__(self, rows: Sequence[int], size: int, first: int) -> None:
        self.rows, self.first = list(rows), first
        self.padded = [*self.rows, *[self.rows[0]] * (size - len(self.rows))]
