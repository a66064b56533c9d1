"""One look at a network on the way of an attack: logits, loss, and the gradient for the stimuli."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, final

import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder.synthesis.attacks._losses import check_loss, measure_loss

Predict = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True, repr=False)
class Attacked:
    """What an attack found: one row a stimulus.

    Parameters
    ----------
    x : Tensor, (n, *shape)
        The attacked stimuli.
    loss : Tensor, (n,)
        The loss that was climbed, at ``x``.
    logits : Tensor, (n, n_classes)
        The network's answer to ``x``; of several draws, their mean.
    is_wrong : Tensor, (n,), bool
        The highest logit is not the label's.
    n_passes : Tensor, (n,), int64
        Passes through the network that the stimulus took.
    n_flat : Tensor, (n,), int64
        Steps at which its gradient was 0 throughout: a sign that gradients are masked.
    """

    x: Tensor
    loss: Tensor
    logits: Tensor
    is_wrong: Tensor
    n_passes: Tensor
    n_flat: Tensor

    def __repr__(self) -> str:
        return f"Attacked({len(self.x)} stimuli, {int(self.is_wrong.sum())} answered wrongly)"

    def take(self, rows: Tensor) -> Attacked:
        """Some of the rows, by position."""
        return replace(self, **{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    def put(self, rows: Tensor, others: Attacked) -> None:
        """Write other rows over some of these."""
        for each in fields(self):
            getattr(self, each.name)[rows] = getattr(others, each.name)


@final
@dataclass(frozen=True)
class Look:
    """The network at one iterate."""

    loss: Tensor
    logits: Tensor
    gradient: Tensor | None


@final
@dataclass(frozen=True)
class Question:
    """What an attack asks of a network: which loss, of which answers.

    Parameters
    ----------
    predict : callable
        A batch, (n, *shape), to logits, (n, n_classes), differentiably.
    labels : (n,), int64
    targets : (n,), int64, or None
    loss : str
    n_draws : int
        Passes whose gradients, losses and logits are averaged.
    """

    predict: Predict
    labels: Tensor
    targets: Tensor | None
    loss: str
    n_draws: int = 1

    def take(self, rows: Tensor) -> Question:
        """The question for some of the stimuli."""
        targets = None if self.targets is None else self.targets[rows]
        return replace(self, labels=self.labels[rows], targets=targets)

    def look(self, x: Tensor, *, gradient: bool = True) -> Look:
        """Losses and logits, (n,) and (n, n_classes), and the gradient, like ``x``, of the sum of the losses."""
        sums: list[Tensor] = []
        for _ in range(self.n_draws):
            found = self._look_once(x, gradient=gradient)
            sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
        if self.n_draws > 1:
            sums = [each / self.n_draws for each in sums]
        return Look(sums[0], sums[1], sums[2] if gradient else None)

    def _look_once(self, x: Tensor, *, gradient: bool) -> list[Tensor]:
        with torch.enable_grad() if gradient else torch.no_grad():
            leaf = x.detach().requires_grad_(gradient)
            logits = self.predict(leaf)
            self._check(logits, len(x))
            loss = measure_loss(logits.float(), self.labels, self.targets, self.loss)
            _refuse_nan(loss, "answers")
            made: list[Tensor] = [loss.detach(), logits.detach().float()]
            if gradient:
                made.append(self._differentiate(loss, leaf))
        return made

    def _differentiate(self, loss: Tensor, leaf: Tensor) -> Tensor:
        try:
            gradient = torch.autograd.grad(loss.sum(), leaf)[0]
        except RuntimeError as error:
            if "does not require grad" in str(error) or "not have been used" in str(error):
                raise InputError(
                    "a network whose logits depend differentiably on its stimuli", got="one that lets no gradient pass"
                ) from error
            raise
        _refuse_nan(gradient.flatten(1).abs().amax(1), "gradients")  # whose sign would be 0
        return gradient

    def _check(self, logits: Any, n: int) -> None:
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != n:
            got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
            raise InputError(f"logits, ({n}, n_classes), from the network", got=got)
        check_loss(self.loss, logits.shape[1], is_targeted=self.targets is not None)


def read_classes(classes: Tensor, x: Tensor, what: str) -> Tensor:
    """Positions of classes, (n,), int64, on the device of the stimuli."""
    if classes.ndim != 1 or len(classes) != len(x) or classes.is_floating_point():
        raise InputError(f"{what}: {len(x)} positions of classes", got=f"{classes.dtype}, {tuple(classes.shape)}")
    return classes.to(device=x.device, dtype=torch.int64)


def count_flat(gradient: Tensor) -> Tensor:
    """1 where a stimulus's gradient is 0 throughout: (n,), int64."""
    return (gradient.flatten(1).abs().amax(1) == 0).long()


def _refuse_nan(numbers: Tensor, what: str) -> None:
    n_bad = int(numbers.isnan().sum())
    if n_bad:
        raise InputError(
            f"a network whose {what} are numbers wherever the attack leads",
            got=f"NaN for {n_bad} of {len(numbers)} stimuli",
            hint="its answers to the stimuli themselves, and to noise of this radius",
        )
