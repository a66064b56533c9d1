"""One update after another: loss, gradients, weights."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from beholder._core.errors import is_out_of_memory
from beholder._core.progress import logger
from beholder._core.seeds import derive_seed
from beholder.models import Model, copy_model, fork_random, free_memory, has_convolutions
from beholder.training._processes import Processes
from beholder.training._schedule import compute_learning_rate
from beholder.training._settings import TrainingSettings
from beholder.training._space import LearningSpace, Perturb

_torch: Any = torch
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@final
@dataclass
class Sums:
    """Loss and right answers, summed over stimuli.

    Parameters
    ----------
    loss : float
    n_right, n : int
    """

    loss: float = 0.0
    n_right: int = 0
    n: int = 0

    @property
    def mean_loss(self) -> float:
        """Loss a stimulus."""
        return self.loss / self.n if self.n else math.nan

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.n_right / self.n if self.n else math.nan

    def add(self, other: Sums) -> None:
        """Count another part."""
        self.loss, self.n_right, self.n = self.loss + other.loss, self.n_right + other.n_right, self.n + other.n


@final
@dataclass
class Tally:
    """The sums of one update where they were computed: reading them waits for a GPU.

    Parameters
    ----------
    losses, right : list of Tensor
        One number a micro-batch.
    n : int
    """

    losses: list[Tensor] = field(default_factory=list[Tensor])
    right: list[Tensor] = field(default_factory=list[Tensor])
    n: int = 0

    def read(self) -> Sums:
        """As numbers."""
        return Sums(sum(float(loss) for loss in self.losses), sum(int(right) for right in self.right), self.n)


@final
@dataclass
class Learner:
    """A network with its optimizer, the average of its weights, and what happened on the way.

    An update's random numbers (dropout, attacks) come from seeds of their own, so that an update is a pure function of
    weights, optimizer, batch and position.

    Parameters
    ----------
    model : Model
        From :func:`~beholder.models.copy_trainee`.
    settings : TrainingSettings
    steps_per_epoch : int
    processes : Processes
    perturb : callable or None
    space : LearningSpace or None
        Where ``perturb`` acts; None: on what ``prepare`` gives.
    """

    model: Model
    settings: TrainingSettings
    steps_per_epoch: int
    processes: Processes = field(default_factory=Processes)
    perturb: Perturb | None = None
    space: LearningSpace | None = None
    step: int = 0
    """Updates done."""
    n_parts: int = 1
    """Micro-batches of an update."""
    reduced: list[dict[str, int]] = field(default_factory=list[dict[str, int]])
    """``step, micro_batch``: from which update on memory made micro-batches smaller."""

    def __post_init__(self) -> None:
        self.n_parts = self.settings.accumulation
        self.place = self.space or LearningSpace(self.model)
        if takes_channels_last(self.model):
            self.model.module.to(memory_format=torch.channels_last)
        self.parameters = [p for p in self.model.module.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(self.parameters, self.settings)
        fp16 = self.settings.precision == "fp16"
        self.scaler = torch.amp.GradScaler(self.model.device.type, enabled=fp16)
        self.average = [p.detach().clone() for p in self.parameters] if self.settings.ema is not None else None
        self._buffers = [b for b in self.model.module.buffers() if b.numel()]

    def learn(self, x: Tensor, labels: Tensor) -> Tally:
        """One update by a batch: (n, *input_shape) and (n,) or (n, n_classes)."""
        device = self.model.device
        x, labels = x.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        rate = compute_learning_rate(self.settings, self.step, self.steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.processes.send_first(self._buffers)  # attacks look at them, and a state holds those of the first alone
        tally = self._find_gradients(x, labels)
        tally = self._share(tally)
        self._update()
        self.step += 1
        return tally

    def _find_gradients(self, x: Tensor, labels: Tensor) -> Tally:
        """Gradients of the mean loss of the batch, in as many parts as memory wants."""
        before = [buffer.clone() for buffer in self._buffers]
        while True:
            try:
                return self._pass_parts(x, labels)
            except (RuntimeError, MemoryError) as error:
                size = math.ceil(len(x) / self.n_parts)
                if not is_out_of_memory(error) or size <= 1:
                    raise
                self.n_parts = math.ceil(len(x) / math.ceil(size / 2))
            with torch.no_grad():
                for buffer, old in zip(self._buffers, before, strict=True):
                    buffer.copy_(old)
            free_memory(x.device)
            self.reduced.append({"step": self.step, "micro_batch": math.ceil(len(x) / self.n_parts)})
            logger.warning(
                "update %d: out of memory; from here on micro-batches of %d, with the same batch size",
                self.step + 1, self.reduced[-1]["micro_batch"],
            )  # fmt: skip

    def _pass_parts(self, x: Tensor, labels: Tensor) -> Tally:
        self.optimizer.zero_grad(set_to_none=True)
        tally = Tally(n=len(x))
        if not len(x):
            return tally
        size = math.ceil(len(x) / self.n_parts)
        for i, (part, own) in enumerate(zip(_split(x, size), _split(labels, size), strict=True)):
            seed = derive_seed(self.settings.seed, "update", self.step, self.processes.rank, i)
            seed_everything(seed)
            with self._autocast():
                part = self.place.enter(part)
                if self.perturb is not None:
                    part = self.perturb(part, own, seed)
                logits = self.place.compute_logits(part)
            loss = functional.cross_entropy(logits, own, reduction="sum", label_smoothing=self.settings.label_smoothing)
            scaled: Any = self.scaler.scale(loss / len(x))
            scaled.backward()
            tally.losses.append(loss.detach())
            tally.right.append(count_right(logits.detach(), own))
        return tally

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        dtype = _DTYPES.get(self.settings.precision)
        return torch.autocast(self.model.device.type, dtype) if dtype else contextlib.nullcontext()

    def _share(self, tally: Tally) -> Tally:
        """The gradient of the mean over all processes' stimuli, and the sums over all of them, in one message."""
        if self.processes.n == 1:
            return tally
        own = tally.read()
        told = torch.tensor([own.loss, own.n_right, own.n], device=self.model.device)
        gradients: list[Tensor] = []
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad.mul_(own.n))
        self.processes.sum_tensors([told, *gradients])
        total = int(told[2])
        for gradient in gradients:
            gradient.div_(max(total, 1))
        return Tally([told[0]], [told[1]], total)

    def _update(self) -> None:
        if self.settings.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None and self.settings.ema is not None:
            with torch.no_grad():
                for mean, parameter in zip(self.average, self.parameters, strict=True):
                    mean.lerp_(parameter, 1 - self.settings.ema)

    @contextlib.contextmanager
    def averaged(self) -> Generator[Model]:
        """The network with the averaged weights for a block, where there are any."""
        self.processes.send_first(self._buffers)
        if self.average is None:
            yield self.model
            return
        own = [parameter.data for parameter in self.parameters]
        try:
            for parameter, mean in zip(self.parameters, self.average, strict=True):
                parameter.data = mean
            yield self.model
        finally:
            for parameter, kept in zip(self.parameters, own, strict=True):
                parameter.data = kept


def _split(batch: Tensor, size: int) -> list[Tensor]:
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def count_right(logits: Tensor, labels: Tensor) -> Tensor:
    """How many of a batch are right; of labels that are shares of classes the largest counts."""
    return (logits.argmax(1) == (labels if labels.ndim == 1 else labels.argmax(1))).sum()


def takes_channels_last(model: Model) -> bool:
    """Whether a network is to keep channels beside one another in memory, a third faster for pictures on the CPU.

    Not one that asks for another layout, as ``x.view(len(x), -1)`` behind a convolution does.
    """
    shape = model.input_shape or ()
    if model.device.type != "cpu" or len(shape) != 3 or not has_convolutions(model.module):
        return False
    try:
        with torch.no_grad(), _torch.random.fork_rng(devices=[]):
            copy_model(model, channels_last=True).run(torch.zeros(2, *shape))
    except RuntimeError:
        return False
    return True


def make_optimizer(parameters: list[nn.Parameter], settings: TrainingSettings) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW."""
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        parameters, lr=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay
    )


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, numpy and torch, which networks may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    _torch.manual_seed(seed)


@contextlib.contextmanager
def repeatable(threads: int, device: str) -> Generator[None]:
    """Deterministic algorithms and a number of threads for a block; then all as it was, generators too."""
    was = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        random.getstate(),
        np.random.get_state(),
    )
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with fork_random(device):
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=torch.device(device).type != "cpu")
        try:
            yield
        finally:
            torch.set_num_threads(was[0])
            torch.use_deterministic_algorithms(was[1], warn_only=warn_only)
            random.setstate(was[2])
            np.random.set_state(was[3])
