"""How far auto-PGD steps, and when it shortens its steps: one rule for L2 and Linf, one for L1."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import final

import torch
from torch import Tensor

from beholder.synthesis.attacks._allowed import Allowed
from beholder.synthesis.attacks._norms import climb_by, spread, step_by_signs


@final
@dataclass
class Trail:
    """Where a climb stands, a row a stimulus.

    Parameters
    ----------
    x, before : (n, *shape)
        The iterate, and the one before.
    gradient : (n, *shape)
        At ``x``.
    loss : (n,)
        That of the last iterate, which the next one is compared with; 0 at first, as in the published code.
    best_x, best_gradient, best_loss, best_logits
        At the iterate of the highest loss.
    sizes : (n,)
        Of the next step, in the units of ``x``.
    n_rises : (n,)
        Steps since the last checkpoint that raised the loss.
    checked_loss : (n,)
        The highest loss at the last checkpoint.
    was_halved : (n,), bool
        The step was shortened there.
    n_moved : (n,)
        L1: values that differ from the stimulus's at the last checkpoint.
    share : (n,)
        L1: of the values, those that a step moves.
    """

    x: Tensor
    before: Tensor
    gradient: Tensor
    loss: Tensor
    best_x: Tensor
    best_gradient: Tensor
    best_loss: Tensor
    best_logits: Tensor
    sizes: Tensor
    n_rises: Tensor
    checked_loss: Tensor
    was_halved: Tensor
    n_moved: Tensor
    share: Tensor

    def take(self, rows: Tensor) -> Trail:
        """Some of the rows."""
        return Trail(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    def arrive(self, x: Tensor, gradient: Tensor, loss: Tensor, logits: Tensor) -> None:
        """Note a further iterate."""
        self.n_rises = self.n_rises + (loss > self.loss)
        self.before, self.x, self.gradient, self.loss = self.x, x, gradient, loss
        is_best = loss > self.best_loss
        self.best_x = torch.where(spread(is_best, x), x, self.best_x)
        self.best_gradient = torch.where(spread(is_best, x), gradient, self.best_gradient)
        self.best_loss = torch.where(is_best, loss, self.best_loss)
        self.best_logits = torch.where(is_best[:, None], logits, self.best_logits)

    def go_back(self, rows: Tensor) -> None:
        """Return to the best iterate where told, a bool a row."""
        self.x = torch.where(spread(rows, self.x), self.best_x, self.x)
        self.gradient = torch.where(spread(rows, self.x), self.best_gradient, self.gradient)


def start_trail(
    x: Tensor, gradient: Tensor, loss: Tensor, logits: Tensor, allowed: Allowed, *, is_fresh: bool
) -> Trail:
    """At the first iterate; ``is_fresh`` is False where another climb led there."""
    n_values = x[0].numel()
    ones = torch.ones_like(loss)
    n_moved = n_values * ones if is_fresh else count_moved(x, allowed)
    share = 0.2 * ones if is_fresh else n_moved / n_values / SPARSER
    alpha = 1.0 if allowed.norm == "l1" else 2.0
    return Trail(
        x=x, before=x, gradient=gradient, loss=torch.zeros_like(loss),
        best_x=x, best_gradient=gradient, best_loss=loss, best_logits=logits,
        sizes=alpha * allowed.radii, n_rises=0 * ones, checked_loss=loss,
        was_halved=torch.ones_like(loss, dtype=torch.bool), n_moved=n_moved, share=share,
    )  # fmt: skip


SPARSER = 1.5


def count_moved(x: Tensor, allowed: Allowed) -> Tensor:
    """How many values of each stimulus are others than at first: (n,)."""
    return (x != allowed.origin).flatten(1).sum(1).to(x)


class StepRule(ABC):
    """Where a step leads, how often the way is looked at, and what changes then."""

    @abstractmethod
    def list_checkpoints(self, n_steps: int) -> list[int]:
        """After how many steps the rule looks at the way."""

    @abstractmethod
    def move(self, trail: Trail, allowed: Allowed, *, is_first: bool) -> Tensor:
        """The next iterate."""

    @abstractmethod
    def check(self, trail: Trail, allowed: Allowed, n_since: int) -> None:
        """Change the steps, and go back where they were too long; ``n_since`` steps after the last time."""


@final
@dataclass(frozen=True)
class HalvingRule(StepRule):
    """L2 and Linf: steps with momentum, halved where too few of them raise the loss.

    Parameters
    ----------
    n_planned : int
        Steps of the whole attack, by which checkpoints are placed.
    rise : float
        The share of steps that have to raise the loss.
    momentum : float
        The weight of the step; the rest is that of the change before.

    Source: Croce and Hein (2020), section 3, conditions 1 and 2, algorithm 1.
    """

    n_planned: int
    rise: float = 0.75
    momentum: float = 0.75

    def list_checkpoints(self, n_steps: int) -> list[int]:
        """After 22 % of the steps; then each interval 3 % shorter, and at least 6 %."""
        interval = max(int(0.22 * self.n_planned), 1)
        shorter, shortest = max(int(0.03 * self.n_planned), 1), max(int(0.06 * self.n_planned), 1)
        checkpoints: list[int] = []
        place = interval
        while place <= n_steps:
            checkpoints.append(place)
            interval = max(interval - shorter, shortest)
            place += interval
        return checkpoints

    def move(self, trail: Trail, allowed: Allowed, *, is_first: bool) -> Tensor:
        """A step, drawn towards where the last change led."""
        x, weight = trail.x, 1.0 if is_first else self.momentum
        ahead = allowed.place(climb_by(x, trail.gradient, allowed.norm, trail.sizes))
        return allowed.place(x + (ahead - x) * weight + (x - trail.before) * (1 - weight))

    def check(self, trail: Trail, allowed: Allowed, n_since: int) -> None:
        """Halve the step where the loss rose too seldom, or where it has not improved since and the step was kept."""
        is_stuck = ~trail.was_halved & (trail.checked_loss >= trail.best_loss)
        is_halved = (trail.n_rises <= self.rise * n_since) | is_stuck
        trail.sizes = torch.where(is_halved, trail.sizes / 2, trail.sizes)
        trail.was_halved, trail.checked_loss = is_halved, trail.best_loss
        trail.n_rises = torch.zeros_like(trail.n_rises)
        trail.go_back(is_halved)


@final
@dataclass(frozen=True)
class SparseRule(StepRule):
    """L1: steps of a few values, fewer the fewer have moved.

    Source: Croce and Hein (2021), "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", ICML,
    algorithm 1.
    """

    def list_checkpoints(self, n_steps: int) -> list[int]:
        """Every 4 % of the steps."""
        interval = max(int(0.04 * n_steps), 1)
        return list(range(interval, n_steps + 1, interval))

    def move(self, trail: Trail, allowed: Allowed, *, is_first: bool) -> Tensor:
        """A step of the share's largest values of the gradient."""
        x, sizes = trail.x, trail.gradient.flatten(1).abs()
        places = ((1 - trail.share) * sizes.shape[1]).clamp(0, sizes.shape[1] - 1).long()
        least = sizes.sort(dim=1).values.gather(1, places[:, None])[:, 0]
        return allowed.place_at_once(step_by_signs(x, trail.gradient, sizes, least, trail.sizes))

    def check(self, trail: Trail, allowed: Allowed, n_since: int) -> None:
        """Steps of full length again where fewer values moved than before, else shorter ones."""
        n_moved = count_moved(trail.best_x, allowed)
        is_sparser = n_moved < 0.95 * trail.n_moved
        shorter = torch.maximum(trail.sizes / SPARSER, allowed.radii / 10)
        trail.sizes = torch.where(is_sparser, allowed.radii, shorter)
        trail.n_moved, trail.share = n_moved, n_moved / trail.x[0].numel() / SPARSER
        trail.go_back(is_sparser)
