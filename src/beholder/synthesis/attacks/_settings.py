"""Attacks as data: what is done, how long, from where; the published ones by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final, get_args

from torch import Tensor

from beholder._core.errors import InputError, suggest_keywords
from beholder.synthesis.attacks._apgd import MOST_TARGETS, run_apgd
from beholder.synthesis.attacks._draws import Generators, Where, draw_noise
from beholder.synthesis.attacks._keep import Keep
from beholder.synthesis.attacks._losses import LossName
from beholder.synthesis.attacks._passes import Attacked, Predict, Question, read_classes
from beholder.synthesis.attacks._pgd import run_pgd

AttackName = Literal["pgd", "apgd-ce", "apgd-t", "random"]
ATTACKS: tuple[str, ...] = get_args(AttackName)


@final
@dataclass(frozen=True)
class AttackSettings:
    """One attack, but for its norm and radius.

    Parameters
    ----------
    attack : {"pgd", "apgd-ce", "apgd-t", "random"}
        :func:`run_pgd`; :func:`run_apgd` on the cross-entropy, or towards other classes on the difference-of-logits
        ratio; :func:`draw_noise`.
    n_steps : int
        Of PGD and APGD.
    step : float
        Of PGD, in radii: 0.25 is a quarter of the radius.
    keep, loss, random_start, share
        Of PGD, as for :func:`run_pgd`.
    where : {"shell", "corners", "ball", "length"}, optional
        Of random starts and random noise, as for :func:`run_pgd` and :func:`draw_noise`.
    n_restarts : int, optional
        Of PGD and APGD. None: 1; of APGD-CE in L1 the 5 of AutoAttack.
    n_targets : int, optional
        Of APGD-T. None: AutoAttack's 9, in L1 5; never more than there are other classes.
    n_draws : int
        Passes that are averaged, for networks that draw noise.
    """

    attack: AttackName = "pgd"
    n_steps: int = 64
    step: float = 0.25
    keep: Keep = "best"
    loss: LossName = "cross-entropy"
    random_start: bool = False
    where: Where | None = None
    share: float = 0.01
    n_restarts: int | None = None
    n_targets: int | None = None
    n_draws: int = 1

    def __post_init__(self) -> None:
        if self.attack not in ATTACKS:
            raise InputError(f"an attack: {', '.join(ATTACKS)}", got=repr(self.attack))
        if not self.step > 0:
            raise InputError("a step above 0, in radii", got=str(self.step))

    def count_restarts(self, norm: str) -> int:
        """Restarts under a norm."""
        default = 5 if (self.attack, norm) == ("apgd-ce", "l1") else 1
        return default if self.n_restarts is None else self.n_restarts

    def count_targets(self, norm: str) -> int:
        """Target classes of APGD-T under a norm."""
        return MOST_TARGETS[norm] if self.n_targets is None else self.n_targets


ATTACK_PRESETS: dict[str, AttackSettings] = {
    "published": AttackSettings(),
    "script": AttackSettings(n_steps=32, step=0.2),
    "training": AttackSettings(n_steps=7, step=1 / 6),
    "training-sound": AttackSettings(n_steps=5, step=0.5, random_start=True),
    "apgd-ce": AttackSettings(attack="apgd-ce", n_steps=100),
    "apgd-t": AttackSettings(attack="apgd-t", n_steps=100),
    "random": AttackSettings(attack="random", n_steps=0),
}
"""``published``: 64 steps of a quarter of the radius, the best iterate (``script``: its script's own defaults);
``training`` and ``training-sound``: inside training; ``apgd-ce``, ``apgd-t``: as in AutoAttack's standard version;
``random``: noise."""


@suggest_keywords
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

    Raises
    ------
    InputError
        As :func:`run_pgd` and :func:`run_apgd`; targets of one's own for APGD, which chooses them itself.

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
    if settings.attack in ("apgd-ce", "apgd-t"):
        if targets is not None:
            raise InputError("no targets with APGD", got="targets", hint="the attack pgd")
        is_targeted = settings.attack == "apgd-t"
        return run_apgd(
            predict,
            x,
            labels,
            norm=norm,
            radius=radius,
            n_steps=settings.n_steps,
            loss="dlr" if is_targeted else "cross-entropy",
            n_targets=settings.count_targets(norm) if is_targeted else 0,
            n_restarts=settings.count_restarts(norm),
            n_draws=settings.n_draws,
            low=low,
            high=high,
            generator=generator,
        )
    return run_pgd(
        predict, x, labels, norm=norm, radius=radius, n_steps=settings.n_steps, step_size=radius * settings.step,
        keep=settings.keep, targets=targets, loss=settings.loss, random_start=settings.random_start,
        where=settings.where, n_restarts=settings.count_restarts(norm), n_draws=settings.n_draws, share=settings.share,
        low=low, high=high, generator=generator,
    )  # fmt: skip


@suggest_keywords
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
    return Attacked(x.detach(), look.loss, look.logits, is_wrong, passes, torch.zeros_like(passes))
