"""Optimisers whose state belongs to each image alone, so that batching changes nothing."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from beholder._core.errors import InputError

State = dict[str, Tensor]


class Optimizer(ABC):
    """A rule that turns gradients into steps. Every state tensor has one row an image."""

    allows_constraints: ClassVar[bool]
    """Whether its points may be projected after each step."""

    @abstractmethod
    def start(self, params: Tensor) -> State:
        """State before the first step."""

    @abstractmethod
    def step(self, params: Tensor, grads: Tensor, losses: Tensor, state: State, step: int) -> Tensor:
        """The next numbers to evaluate; ``state`` is changed in place.

        Parameters
        ----------
        params, grads : Tensor, (n, *shape)
            Where the losses were just evaluated, and their gradients.
        losses : Tensor, (n,)
        state : dict of Tensor
        step : int
            Counted from 0.
        """

    @abstractmethod
    def can_back_off(self, losses: Tensor, state: State) -> Tensor:
        """Which images go on from an earlier point where ``losses``, (n,), are not finite: (n,), bool."""

    @abstractmethod
    def final_params(self, params: Tensor, losses: Tensor | None, state: State) -> Tensor:
        """The numbers to keep when the work ends at ``params``, whose losses, if they were evaluated, are given."""


class Schedule(ABC):
    """A factor for the step size."""

    @abstractmethod
    def factor(self, step: int) -> float:
        """Factor at a step, counted from 0."""


@final
@dataclass(frozen=True)
class Constant(Schedule):
    """Always 1."""

    def factor(self, step: int) -> float:
        """1."""
        return 1.0


@final
@dataclass(frozen=True)
class Halving(Schedule):
    """Halved every so many steps.

    Parameters
    ----------
    every : int
        Steps.
    """

    every: int = 3000

    def factor(self, step: int) -> float:
        """``2 ** -(step // every)``."""
        return 0.5 ** (step // self.every)


@final
@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 to ``floor``.

    Parameters
    ----------
    total : int
        Steps after which it stays at ``floor``.
    floor : float
    """

    total: int
    floor: float = 0.0

    def factor(self, step: int) -> float:
        """``floor + (1 − floor) · (1 + cos(π · step / total)) / 2``."""
        share = min(step / self.total, 1.0)
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * share)) / 2


@final
@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), a separate one for each image.

    Parameters
    ----------
    learning_rate : float, optional
        None: what suits the parameterisation.
    betas : (float, float)
    eps : float
    schedule : Schedule
    """

    learning_rate: float | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    schedule: Schedule = Constant()

    allows_constraints: ClassVar[bool] = True

    def start(self, params: Tensor) -> State:
        """Zero moments."""
        return {"mean": torch.zeros_like(params), "square": torch.zeros_like(params)}

    def step(self, params: Tensor, grads: Tensor, losses: Tensor, state: State, step: int) -> Tensor:
        """One step of Adam."""
        assert self.learning_rate is not None
        beta1, beta2 = self.betas
        mean = state["mean"].lerp_(grads, 1 - beta1)
        square = state["square"].mul_(beta2).addcmul_(grads, grads, value=1 - beta2)
        rate = self.learning_rate * self.schedule.factor(step) / (1 - beta1 ** (step + 1))
        root = square.sqrt().div_(math.sqrt(1 - beta2 ** (step + 1))).add_(self.eps)
        return torch.addcdiv(params, mean, root, value=-rate)

    def can_back_off(self, losses: Tensor, state: State) -> Tensor:
        """None."""
        return torch.zeros_like(losses, dtype=torch.bool)

    def final_params(self, params: Tensor, losses: Tensor | None, state: State) -> Tensor:
        """Where it is."""
        return params


@final
@dataclass(frozen=True)
class NormalizedSteps(Optimizer):
    """Steps of a set length down each image's gradient; with a ball it is projected gradient descent.

    ``l2``: ``x − s · g / (‖g‖₂ + 1e-10)``; ``linf``: ``x − s · sign(g)``.

    Parameters
    ----------
    step_size : float
        s.
    norm : {"l2", "linf"}
    schedule : Schedule
    """

    step_size: float = 1.0
    norm: str = "l2"
    schedule: Schedule = Constant()

    def __post_init__(self) -> None:
        if self.norm not in ("l2", "linf"):
            raise InputError("a norm: l2 or linf", got=repr(self.norm))

    allows_constraints: ClassVar[bool] = True

    def start(self, params: Tensor) -> State:
        """Nothing."""
        return {}

    def step(self, params: Tensor, grads: Tensor, losses: Tensor, state: State, step: int) -> Tensor:
        """One step."""
        size = self.step_size * self.schedule.factor(step)
        if self.norm == "linf":
            return params - size * grads.sign()
        length = torch.linalg.vector_norm(grads.flatten(1), dim=1) + 1e-10
        return params - size * grads / length.view(-1, *(1,) * (params.ndim - 1))

    def can_back_off(self, losses: Tensor, state: State) -> Tensor:
        """None."""
        return torch.zeros_like(losses, dtype=torch.bool)

    def final_params(self, params: Tensor, losses: Tensor | None, state: State) -> Tensor:
        """Where it is."""
        return params
