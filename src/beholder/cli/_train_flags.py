"""How a network is trained, and on what."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._flags import Words, flags, refuse_missing
from beholder.cli._numbers import refuse_infinite


@flags
class AttackFlags:
    """What stimuli go through in training; what is left out is the preset's."""

    attack: Literal["none", "pgd", "noise"] | None = None
    """Projected gradient ascent, or noise of the same size without gradients."""
    norm: Literal["l2", "linf"] | None = None
    """Norm of the ball that attacks stay in."""
    eps: float | None = None
    """Radius, in the units of the space: 3 (L2 of pixels in [0, 1]), 0.0314 (8/255, Linf)."""
    attack_steps: int | None = None
    """Steps of an attack in training."""
    attack_step_size: float | None = None
    """Size of a step; default 2/3 of the radius for pictures, half of it for sounds."""
    attack_keep: Literal["best", "last"] | None = None
    """Which iterate is learnt from: that of the largest loss, or the last."""
    random_start: bool | None = None
    """Start attacks at a random point of the ball."""
    space: Literal["prepared", "waveform", "cochleagram"] | None = None
    """What is perturbed: pixels or samples, or the output of the network's cochleagram."""
    eval_steps: int | None = None
    """Steps of the attack on the validation part; default as in training, at least 10."""
    eval_stimuli: int | None = None
    """Stimuli of the validation part that are attacked, at most. [default: 1024]"""


@flags
class LearningFlags:
    """How weights are learnt; what is left out is the preset's."""

    epochs: int | None = None
    """Passes over the training part."""
    batch_size: Annotated[int | None, Parameter(name=["--batch-size", "-bs"])] = None
    """Stimuli of an update, over all processes."""
    accumulation: int | None = None
    """Micro-batches that an update is computed in, where memory is short."""
    optimizer: Literal["sgd", "adamw"] | None = None
    """Stochastic gradient descent with momentum, or AdamW."""
    learning_rate: Annotated[float | None, Parameter(name=["--learning-rate", "-lr"])] = None
    """The highest learning rate."""
    momentum: float | None = None
    """Momentum of sgd."""
    weight_decay: float | None = None
    """Weight decay of all parameters."""
    schedule: Literal["step", "cosine", "constant"] | None = None
    """How the learning rate falls."""
    step_epochs: float | None = None
    """Epochs between falls of the schedule step."""
    step_factor: float | None = None
    """What a fall multiplies the rate by."""
    warmup_epochs: float | None = None
    """Epochs in which the rate rises from 0."""
    label_smoothing: float | None = None
    """Share of the target that is spread over all classes."""
    clip_norm: float | None = None
    """Largest norm of the gradient."""
    ema: float | None = None
    """Decay, an update, of an average of the weights, which is then what is evaluated and kept."""
    precision: Literal["fp32", "bf16", "fp16"] | None = None
    """Numbers of the forward pass."""


@flags
class DataFlags:
    """Which stimuli, and how they are varied."""

    held_out: float | None = None
    """Share of the stimuli that validates, where no part is named. [default: 0.1]"""
    validation: str | None = None
    """Folder or table of the stimuli that validate."""
    validation_where: str | None = None
    """Which of the stimuli validate, by a column: take=0-4, split=val."""
    train_where: str | None = None
    """Which of the stimuli are trained on, by a column; default all that do not validate."""
    label_column: str | None = None
    """Column of the class, or field of --label_pattern."""
    label_pattern: str | None = None
    """How file names are made: {digit}_{speaker}_{take}.wav; the first field is the class."""
    augment: Words = None
    """Augmentations by name, with a number after = where wanted; default crop and flip of pictures, crop of sounds."""
    background: str | None = None
    """Folder of sounds that are mixed into those trained on."""
    snr: Annotated[tuple[float, ...], Parameter(consume_multiple=True, validator=refuse_infinite)] = (-10.0, 10.0)
    """dB of sound over background: lowest and highest."""
    n_drawn: int = 9600
    """Stimuli an epoch of a set that is drawn: shapes, syllables."""
    n_drawn_validation: int = 640
    """Stimuli of a drawn set that validate."""
    cache_gb: float | None = None
    """Memory for decoded stimuli; default a quarter of what is free."""
    battery: str | None = None
    """Folder of cue-conflict pictures, bird3-knife2.png: shape bias at the end of each epoch."""
    skip_bad: bool = False
    """Leave out files that cannot be read; they are listed."""

    def refuse_missing(self, data: str) -> None:
        """Raise where nothing is at one of the places, before anything that takes seconds."""
        drawn = ("shapes", "syllables")
        if data not in drawn:
            hint = f"a set that is drawn, {' or '.join(drawn)}"
            refuse_missing([data], "a folder with a folder a class, or a table with a column of labels", hint)
        places = {"validation": self.validation, "background": self.background, "battery": self.battery}
        for flag, place in places.items():
            refuse_missing([place] if place else [], f"stimuli after --{flag}")
