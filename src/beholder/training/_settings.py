"""What a training run is: every setting that can change the weights."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from beholder._core.errors import InputError, UnknownNameError, suggest_method_keywords
from beholder._core.seeds import DEFAULT_SEED

Attack = Literal["none", "pgd", "noise"]
Norm = Literal["l2", "linf"]
Space = Literal["prepared", "waveform", "cochleagram"]


@suggest_method_keywords
@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a network is trained. Fields that are None follow from the others; see :func:`resolve_settings`.

    Parameters
    ----------
    preset : str
        What the others were taken from.
    epochs : int
        Passes over the training part.
    batch_size : int
        Stimuli in one update, over all processes and micro-batches.
    accumulation : int
        Micro-batches that an update is computed in.
    optimizer : {"sgd", "adamw"}
    learning_rate : float
        The highest one.
    momentum : float
        Of ``sgd``.
    weight_decay : float
    schedule : {"step", "cosine", "constant"}
        How the learning rate falls after the warm-up.
    step_epochs : float or None
        Epochs between falls of ``step``; default 5 of 12 parts of ``epochs``, as 50 of 120.
    step_factor : float
        What the rate is multiplied by at a fall.
    warmup_epochs : float
        Epochs in which the rate rises from 0.
    label_smoothing : float
        Share of the target that is spread over all classes.
    clip_norm : float or None
        Largest norm of the gradient of all parameters.
    ema : float or None
        Decay, an update, of the moving average of the weights, which is then what is evaluated and kept.
    precision : {"fp32", "bf16", "fp16"}
        Numbers of the forward pass.
    attack : {"none", "pgd", "noise"}
        What stimuli go through in training: nothing, projected gradient ascent, or noise of the same size.
    norm : {"l2", "linf"}
    eps : float
        Radius, in the units of the attack's space.
    attack_steps : int
    attack_step_size : float or None
        Default 2/3 of ``eps`` for pictures, 1/2 for sounds.
    attack_keep : {"best", "last"}
        Which iterate: that of the largest loss, or the last one.
    random_start : bool
        Start from a random point of the ball.
    space : {"prepared", "waveform", "cochleagram"}
        What is perturbed: what ``prepare`` gives (of sounds the same as ``waveform``), or the output of the network's
        front end.
    eval_steps : int or None
        Steps of the attack on the validation part; default as many as in training, at least 10.
    eval_stimuli : int
        Stimuli of the validation part that are attacked, at most.
    held_out : float
        Share of the stimuli that validates, where the data name no part for it.
    seed : int
        Of the order of stimuli, augmentation, dropout, attacks, and of a new head.

    Examples
    --------
    >>> settings = TrainingSettings(epochs=10, attack="pgd", norm="l2", eps=3.0, attack_steps=5)
    >>> settings.epochs, settings.optimizer, settings.attack
    (10, 'sgd', 'pgd')
    """

    preset: str = "standard"
    epochs: int = 120
    batch_size: int = 256
    accumulation: int = 1
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Literal["step", "cosine", "constant"] = "step"
    step_epochs: float | None = None
    step_factor: float = 0.1
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    ema: float | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    attack: Attack = "none"
    norm: Norm = "l2"
    eps: float = 0.0
    attack_steps: int = 0
    attack_step_size: float | None = None
    attack_keep: Literal["best", "last"] = "best"
    random_start: bool = False
    space: Space = "prepared"
    eval_steps: int | None = None
    eval_stimuli: int = 1024
    held_out: float = 0.1
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            choices = get_args(kind)
            if choices and all(isinstance(choice, str) for choice in choices) and getattr(self, name) not in choices:
                raise UnknownNameError(name, str(getattr(self, name)), choices)
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                wanted = f"of {low:g} or more" if high == _ANY else f"from {low:g} to {high:g}"
                raise InputError(f"{name} {wanted}", got=f"{value:g}")
        if self.attack != "none" and self.eps <= 0:
            raise InputError(f"a radius eps above 0 for the attack {self.attack}", got=f"{self.eps:g}")
        if self.attack == "pgd" and self.attack_steps < 1:
            raise InputError("attack_steps of 1 or more for the attack pgd", got=str(self.attack_steps))
        if self.accumulation > self.batch_size:
            raise InputError(f"accumulation of at most the batch size, {self.batch_size}", got=str(self.accumulation))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_ANY = float("inf")
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("epochs", 1, _ANY), ("batch_size", 1, _ANY), ("accumulation", 1, _ANY), ("learning_rate", 0, _ANY),
    ("momentum", 0, 1), ("weight_decay", 0, _ANY), ("step_epochs", 1e-9, _ANY), ("step_factor", 0, 1),
    ("warmup_epochs", 0, _ANY), ("label_smoothing", 0, 1), ("clip_norm", 1e-12, _ANY), ("ema", 0, 1), ("eps", 0, _ANY),
    ("attack_steps", 0, _ANY), ("attack_step_size", 0, _ANY), ("eval_steps", 1, _ANY), ("eval_stimuli", 1, _ANY),
    ("held_out", 0, 0.9),
)  # fmt: skip
