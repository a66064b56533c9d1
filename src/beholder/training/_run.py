"""The run itself: epochs of updates, evaluated, logged and kept, from wherever it was interrupted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import torch

from beholder._core.errors import BeholderError, StimulusError
from beholder._core.progress import logger
from beholder.jobs import show_work
from beholder.training._accuracy import measure_accuracy
from beholder.training._data import iter_batches
from beholder.training._learner import Learner, Sums, Tally
from beholder.training._log import describe_epoch, describe_time, write_logs
from beholder.training._order import list_batches
from beholder.training._settings import TrainingSettings
from beholder.training._skipping import SkippingData
from beholder.training._space import LearningSpace, Perturb
from beholder.training._state import read_state, write_state
from beholder.training.data._protocol import TrainingData

STATE = "state"
_LOOK_EVERY = 20
_WATCHED = 50
_FACTOR = 10.0


@final
@dataclass
class Run:
    """Where a run is, and what it needs.

    Parameters
    ----------
    learner : Learner
    training, validation : TrainingData
        Without validation, None.
    out : path
        The run's folder.
    save : callable
        ``save(name, row)`` writes the network as it is as a checkpoint.
    attack : callable or None
        What the validation part goes through beside being shown as it is.
    measure_bias : callable or None
        Shape bias of the network as it is.
    save_seconds : float
        Between states.
    save_steps : int or None
        Updates between states, too.
    begin : callable
        Called before the first update of this call, if there is one left.
    """

    learner: Learner
    training: TrainingData
    validation: TrainingData | None
    out: Path
    save: Callable[[str, dict[str, Any]], None]
    attack: Perturb | None = None
    measure_bias: Callable[[LearningSpace], float] | None = None
    save_seconds: float = 60.0
    save_steps: int | None = None
    begin: Callable[[], object] = lambda: None
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    skipped: list[str] = field(default_factory=list[str])
    sums: Sums = field(default_factory=Sums)
    """Of the epoch so far."""
    seconds: float = 0.0
    """Spent on the epoch so far, by all runs."""

    def __post_init__(self) -> None:
        self._recent: list[float] = []
        self._pending: list[Tally] = []
        self._since = self._saved = time.monotonic()

    @property
    def is_done(self) -> bool:
        """Whether all epochs are learnt and evaluated."""
        return len(self.history) >= self.learner.settings.epochs

    def go(self) -> None:
        """From the newest state, or the beginning, to the end."""
        learner = self.learner
        facts = read_state(self.out / STATE, learner)
        if facts is not None:
            self.history, self.skipped = list(facts["history"]), list(facts["skipped"])
            self.sums, self.seconds = Sums(**facts["sums"]), float(facts["seconds"])
            if not self.is_done and learner.processes.is_first:
                logger.info("goes on after update %d", learner.step)
        if not self.is_done:
            self.begin()
        total = learner.settings.epochs * learner.steps_per_epoch
        quiet = not learner.processes.is_first
        name, n_bytes = f"train {learner.model.name}", count_bytes(learner)
        with show_work(name, 0 if quiet else total, "updates", learner.step, n_bytes=n_bytes) as advance:
            while not self.is_done:
                self._learn_epoch(advance)
                self._end_epoch()

    def _learn_epoch(self, advance: Callable[[int], None]) -> None:
        learner, settings = self.learner, self.learner.settings
        epoch = len(self.history)
        done = learner.step - epoch * learner.steps_per_epoch
        batches = list_batches(self.training.n_stimuli, settings.batch_size, epoch=epoch, seed=settings.seed)[done:]
        processes = learner.processes
        own = [indices[processes.rank :: processes.n] for indices in batches]
        self._since = time.monotonic()
        for x, labels in iter_batches(self.training, own, epoch=epoch, seed=settings.seed):
            self._pending.append(learner.learn(x, labels))
            advance(1)
            self._watch(epoch)

    def _watch(self, epoch: int) -> None:
        """Look at the loss, and write the state, where it is time."""
        learner = self.learner
        if learner.model.device.type == "cpu" or learner.step % _LOOK_EVERY == 0:
            self._look(epoch)
        if learner.step % learner.steps_per_epoch and self._is_time():
            self._look(epoch)
            self._keep()

    def _list_skipped(self) -> list[str]:
        """What this process left out so far, and what all did up to the last epoch."""
        parts = [self.training, *([] if self.validation is None else [self.validation])]
        return sorted(
            {*self.skipped, *(each for part in parts if isinstance(part, SkippingData) for each in part.skipped)}
        )

    def _look(self, epoch: int) -> None:
        """Add up what was learnt since the last look, and stop where the loss diverges."""
        for tally in self._pending:
            sums = tally.read()
            self.sums.add(sums)
            if sums.n:
                self._recent = [*self._recent[1 - _WATCHED :], sums.mean_loss]
        self._pending.clear()
        limit = _FACTOR * max(1.0, math.log(len(self.training.classes)))
        mean = sum(self._recent) / max(len(self._recent), 1)
        if math.isfinite(mean) and (len(self._recent) < _WATCHED or mean < limit):
            return
        settings = self.learner.settings
        ways = [f"--learning_rate {settings.learning_rate / 10:g}"]
        ways += ["--warmup_epochs 5"] if settings.warmup_epochs < 1 else []
        ways += ["--clip_norm 1"] if settings.clip_norm is None else []
        ways += ["--precision fp32"] if settings.precision == "fp16" else []
        kept = (
            "" if not self.history else f"; {self.out / 'checkpoints'} keeps the network of epoch {len(self.history)}"
        )
        raise BeholderError(
            f"expected a loss that falls; got {'one that is no number' if not math.isfinite(mean) else f'{mean:.3g}'} "
            f"at update {self.learner.step} (epoch {epoch + 1}){kept}; try {' or '.join(ways)}, with another folder or "
            "--overwrite"
        )

    def _is_time(self) -> bool:
        if self.save_steps is not None and self.learner.step % self.save_steps == 0:
            return True
        return self.learner.processes.is_first and time.monotonic() - self._saved >= self.save_seconds

    def _keep(self) -> None:
        """Write the state."""
        now = time.monotonic()
        self.seconds += now - self._since
        self._since = self._saved = now
        self.skipped = self._list_skipped()
        if not self.learner.processes.is_first:
            return
        facts = {
            "history": self.history, "skipped": self.skipped, "seconds": self.seconds,
            "sums": {"loss": self.sums.loss, "n_right": self.sums.n_right, "n": self.sums.n},
        }  # fmt: skip
        write_state(self.out / STATE, self.learner, facts)

    def _end_epoch(self) -> None:
        learner, settings = self.learner, self.learner.settings
        epoch = len(self.history)
        self._look(epoch)
        sums = self.sums
        if not sums.n:
            raise StimulusError("stimuli that can be read", got=f"none of {self.training.n_stimuli:,} to train on")
        row: dict[str, Any] = {
            "epoch": epoch, "step": learner.step, "learning_rate": learner.optimizer.param_groups[0]["lr"],
            "train_loss": sums.mean_loss, "train_accuracy": sums.accuracy,
        }  # fmt: skip
        with learner.averaged():
            row |= self._evaluate()
            self.skipped = learner.processes.join_words(self._list_skipped())
            row["n_skipped"] = len(self.skipped)
            score, best = _score(row), max((_score(old) for old in self.history), default=-math.inf)
            row["is_best"] = score > best or self.validation is None
            if learner.processes.is_first:
                for name in (["best"] if row["is_best"] else []) + ["last"]:
                    self.save(name, row)
        row["seconds"] = round(self.seconds + time.monotonic() - self._since, 2)
        self.history.append(row)
        self.sums = Sums()
        if learner.processes.is_first:
            logger.info("%s; %s", describe_epoch(row, settings.epochs, settings.attack), self._describe_rest())
            write_logs(self.out, self.history)
        self._keep()
        self.seconds = 0.0
        learner.processes.wait()

    def _evaluate(self) -> dict[str, Any]:
        settings: TrainingSettings = self.learner.settings
        processes = self.learner.processes
        found: dict[str, Any] = {}
        if self.validation is not None:
            size = math.ceil(settings.batch_size / settings.accumulation)
            clean = measure_accuracy(
                self.learner.place, self.validation, processes, batch_size=size, seed=settings.seed
            )
            found |= {"loss": clean.mean_loss, "accuracy": clean.accuracy, "n": clean.n}
            if self.attack is not None:
                hit = measure_accuracy(
                    self.learner.place, self.validation, processes, batch_size=size, seed=settings.seed,
                    perturb=self.attack, n_stimuli=settings.eval_stimuli,
                )  # fmt: skip
                found |= {"attacked_loss": hit.mean_loss, "attacked_accuracy": hit.accuracy, "n_attacked": hit.n}
        if self.measure_bias is not None:
            bias = self.measure_bias(self.learner.place)
            found["shape_bias"] = None if math.isnan(bias) else bias
        return found

    def _describe_rest(self) -> str:
        spent = sum(row["seconds"] for row in self.history)
        left = spent / len(self.history) * (self.learner.settings.epochs - len(self.history))
        return f"{describe_time(spent)} so far" + (f", about {describe_time(left)} left" if left else "")


def _score(row: dict[str, Any]) -> float:
    """What decides which checkpoint is best: accuracy under attack, where there is one."""
    found = row.get("attacked_accuracy", row.get("accuracy"))
    return -math.inf if found is None else float(found)


def count_bytes(learner: Learner) -> int:
    """Bytes of the two checkpoints, and of the newest state: weights and the optimiser's, another mean of them."""
    n_bytes = sum(value.numel() * value.element_size() for value in learner.model.module.state_dict().values())
    return n_bytes * (4 if learner.settings.ema is None else 5)


def count_threads(threads: int | None) -> int:
    """Threads of a run: as asked, else those that torch uses."""
    return threads or torch.get_num_threads()
