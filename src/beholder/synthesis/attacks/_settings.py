"""Attacks as data: what is done, how long, from where; the published ones by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final, get_args

from torch import Tensor

from beholder._core.errors import InputError
from beholder.synthesis.attacks._draws import Generators, Where, draw_noise
from beholder.synthesis.attacks._losses import LossName
from beholder.synthesis.attacks._passes import Attacked, Predict, Question, read_classes, refuse_nan
from beholder.synthesis.attacks._pgd import Keep, run_pgd

AttackName = Literal["pgd", "random"]
ATTACKS: tuple[str, ...] = get_args(AttackName)


@final
@dataclass(frozen=True)
class AttackSettings:
    """One attack, but for its norm and radius.

    Parameters
    ----------
    attack : {"pgd", "random"}
    n_steps : int
    step : float
        Of PGD, in radii: 0.25 is a quarter of the radius.
    keep, loss, random_start, where, n_restarts, n_draws, share
        As for :func:`run_pgd`.
    """

    attack: AttackName = "pgd"
    n_steps: int = 64
    step: float = 0.25
    keep: Keep = "best"
    loss: LossName = "cross-entropy"
    random_start: bool = False
    where: Where | None = None
    n_restarts: int = 1
    n_draws: int = 1
    share: float = 0.01

    def __post_init__(self) -> None:
        if self.attack not in ATTACKS:
            raise InputError(f"an attack: {', '.join(ATTACKS)}", got=repr(self.attack))


ATTACK_PRESETS: dict[str, AttackSettings] = {
    "published": AttackSettings(),
    "script": AttackSettings(n_steps=32, step=0.2),
    "training": AttackSettings(n_steps=7, step=0.3),
    "training-sound": AttackSettings(n_steps=5, step=0.5, random_start=True),
    "random": AttackSettings(attack="random", n_steps=0),
}


def run_attack(
    settings: AttackSettings,
    predict: Predict,
    x: Tensor,
    labels: Tensor,
    *,
    norm: str,
    radius: float | Tensor,
    targets: Tensor | None = None,
    low: float | None = None,
    high: float | None = None,
    generator: Generators | None = None,
) -> Attacked:
    """The attack that settings describe; the arguments are those of :func:`run_pgd`.

    Examples
    --------
    >>> import torch
    >>> weights = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    >>> run_attack(ATTACK_PRESETS["published"], lambda x: x @ weights, torch.tensor([[0.6, 0.4]]), torch.tensor([0]),
    ...            norm="l2", radius=0.2)
    Attacked(1 stimuli, 1 answered wrongly)
    """
    if settings.attack == "random":
        noisy = draw_noise(x, norm=norm, radius=radius, where=settings.where, low=low, high=high, generator=generator)
        return judge(predict, noisy, labels, targets=targets, loss=settings.loss, n_draws=settings.n_draws)
    return run_pgd(
        predict, x, labels, norm=norm, radius=radius, n_steps=settings.n_steps, step_size=radius * settings.step,
        keep=settings.keep, targets=targets, loss=settings.loss, random_start=settings.random_start,
        where=settings.where, n_restarts=settings.n_restarts, n_draws=settings.n_draws, share=settings.share,
        low=low, high=high, generator=generator,
    )  # fmt: skip


def judge(
    predict: Predict,
    x: Tensor,
    labels: Tensor,
    *,
    targets: Tensor | None = None,
    loss: LossName = "cross-entropy",
    n_draws: int = 1,
) -> Attacked:
    """What a network answers to stimuli as they are, in the form of an attack's result."""
    import torch

    asked = None if targets is None else read_classes(targets, x, "targets")
    question = Question(predict, read_classes(labels, x, "labels"), asked, loss, n_draws)
    look = question.look(x, gradient=False)
    passes = torch.full_like(question.labels, n_draws)
    is_wrong = look.logits.argmax(1) != question.labels
    return refuse_nan(Attacked(x.detach(), look.loss, look.logits, is_wrong, passes, torch.zeros_like(passes)))
