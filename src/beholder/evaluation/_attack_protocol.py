"""What an evaluation under attack does: which attacks, how long, in which space; the published one by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder.synthesis import KEEPS, AttackSettings

GRADIENT_ATTACKS = ("pgd", "apgd-ce", "apgd-t")
RANDOM, TRANSFER, NONE, WORST = "random", "transfer", "none", "worst"
ATTACKS = (*GRADIENT_ATTACKS, RANDOM)
PRESETS = ("published",)
PUBLISHED_STIMULI = 1024
"""How many stimuli the metamer study attacked."""
_DEFAULTS: dict[str, Any] = {"steps": 32, "divide": 5.0}
_PUBLISHED: dict[str, Any] = {"steps": 64, "divide": 4.0}
TARGET_RULES = ("random", "least-likely")


@final
@dataclass(frozen=True)
class AttackProtocol:
    """What is the same for every attack, norm and radius of an evaluation.

    Parameters
    ----------
    steps : int
        Of PGD.
    step_size : float or None
        Of PGD, in the units of the stimuli; None: the radius over ``divide``.
    divide : float
    apgd_steps : int
        Of APGD, which finds its step sizes itself.
    keep : {"best", "last", "success"}
        Which iterate of PGD counts.
    random_start : bool
        PGD starts at random in the ball, else at the stimulus.
    restarts : int or None
        Random starts of each attack, draws of random noise; several of PGD start at random. None: 1, or AutoAttack's
        number.
    eot : int
        Passes averaged in each step and for each answer (expectation over transformation).
    targets : str or None
        Of PGD: ``"random"``, ``"least-likely"``, a class's name or number; None: any class but the label.
    space : str
        What is perturbed, see :func:`~beholder.synthesis.open_attack_space`.
    """

    steps: int = 32
    step_size: float | None = None
    divide: float = 5.0
    apgd_steps: int = 100
    keep: str = "best"
    random_start: bool = False
    restarts: int | None = None
    eot: int = 1
    targets: str | None = None
    space: str = "prepared"

    def __post_init__(self) -> None:
        for name in ("steps", "apgd_steps", "restarts", "eot"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} of 1 or more", got=str(value))
        for name, value in (("divide", self.divide), ("step_size", self.step_size)):
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"{name} above 0", got=str(value))
        if self.keep not in KEEPS:
            raise UnknownNameError("iterate to keep", self.keep, KEEPS)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def describe(self, attack: str, norm: str) -> dict[str, Any]:
        """Columns of the attack's records: numbers of steps, restarts and passes a step, how steps are sized."""
        pgd = attack in ("pgd", TRANSFER)
        run = self.settle("pgd" if pgd else attack, 1.0)
        rule = f"eps/{self.divide:g}" if self.step_size is None else f"{self.step_size:g}"
        return {
            "steps": run.n_steps, "step": rule if pgd else "", "keep": self.keep if pgd else "",
            "targets": (self.targets or "") if pgd else "", "restarts": run.count_restarts(norm), "eot": self.eot,
            "space": self.space,
        }  # fmt: skip

    def settle(self, attack: str, eps: float) -> AttackSettings:
        """The attack of a name at a radius, as it is run."""
        common: dict[str, Any] = {"n_restarts": self.restarts, "n_draws": self.eot}
        if attack == RANDOM:
            return AttackSettings("random", n_steps=0, **common)
        if attack != "pgd":
            return AttackSettings(attack, n_steps=self.apgd_steps, **common)  # pyright: ignore[reportArgumentType]
        step = 1 / self.divide if self.step_size is None else self.step_size / eps
        return AttackSettings(
            "pgd", n_steps=self.steps, step=step, keep=self.keep,  # pyright: ignore[reportArgumentType]
            random_start=self.random_start or (self.restarts or 1) > 1, **common,
        )  # fmt: skip

    def lengthen(self) -> AttackProtocol:
        """The same with twice as many steps."""
        return replace(self, steps=2 * self.steps, apgd_steps=2 * self.apgd_steps)


@suggest_keywords
def read_protocol(
    preset: str | None = None,
    *,
    steps: int | None = None,
    step_size: float | None = None,
    divide: float | None = None,
    apgd_steps: int | None = None,
    keep: str | None = None,
    random_start: bool = False,
    restarts: int | None = None,
    eot: int = 1,
    targets: str | None = None,
    space: str = "prepared",
) -> AttackProtocol:
    """A protocol from what was asked for; None is the preset's, or the default.

    Parameters
    ----------
    preset : {"published"}, optional
    steps, step_size, divide, apgd_steps, keep, random_start, restarts, eot, targets, space
        As for :class:`AttackProtocol`.

    Raises
    ------
    UnknownNameError
        No such preset.
    InputError
        ``step_size`` and ``divide``; values out of range.

    Examples
    --------
    >>> read_protocol("published").steps, read_protocol().steps
    (64, 32)
    """
    if preset is not None and preset not in PRESETS:
        raise UnknownNameError("preset of attacks", preset, PRESETS)
    if step_size is not None and divide is not None:
        raise InputError("--step_size or --divide", got="both")
    usual = _PUBLISHED if preset else _DEFAULTS
    return AttackProtocol(
        steps=usual["steps"] if steps is None else steps,
        step_size=step_size,
        divide=usual["divide"] if divide is None else divide,
        apgd_steps=100 if apgd_steps is None else apgd_steps,
        keep=keep or "best",
        random_start=random_start,
        restarts=restarts,
        eot=eot,
        targets=targets,
        space=space,
    )


@suggest_keywords
def check_attacks(attacks: str | Sequence[str], targets: str | None) -> tuple[str, ...]:
    """Names of attacks in the order in which they are told, each once.

    Raises
    ------
    UnknownNameError
        No such attack.
    InputError
        None; or targets with attacks that choose their own.
    """
    listed = [attacks] if isinstance(attacks, str) else list(attacks)
    for name in listed:
        if name not in ATTACKS:
            raise UnknownNameError("attack", name, ATTACKS)
    if not listed:
        raise InputError("at least one attack", got="none", hint=", ".join(ATTACKS))
    other = [name for name in listed if name not in ("pgd", RANDOM)]
    if targets is not None and other:
        raise InputError(
            f"targets with pgd, since {other[0]} chooses its own or takes none", got=f"--targets {targets}"
        )
    return tuple(name for name in ATTACKS if name in listed)
