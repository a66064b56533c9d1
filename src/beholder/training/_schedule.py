"""The learning rate of every update, from the settings alone."""

from __future__ import annotations

import math

from beholder.training._settings import TrainingSettings


def compute_learning_rate(settings: TrainingSettings, step: int, steps_per_epoch: int) -> float:
    """The learning rate of an update.

    During the warm-up it rises in equal steps to ``learning_rate``. Then ``step`` multiplies it by ``step_factor``
    after every ``step_epochs`` epochs (counted from the beginning), ``cosine`` lets it fall to 0 along half a cosine
    (Loshchilov & Hutter 2017, without restarts), ``constant`` keeps it.

    Parameters
    ----------
    settings : TrainingSettings
    step : int
        Updates done before, from 0 to ``epochs * steps_per_epoch`` - 1.
    steps_per_epoch : int

    Examples
    --------
    >>> settings = TrainingSettings(epochs=4, learning_rate=1.0, step_epochs=2.0)
    >>> [compute_learning_rate(settings, step, 1) for step in range(4)]
    [1.0, 1.0, 0.1, 0.1]
    """
    rise = round(settings.warmup_epochs * steps_per_epoch)
    if step < rise:
        return settings.learning_rate * (step + 1) / rise
    if settings.schedule == "cosine":
        total = settings.epochs * steps_per_epoch - rise
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / total))
    if settings.schedule == "step" and settings.step_epochs is not None:
        falls = math.floor(step / (settings.step_epochs * steps_per_epoch) + 1e-9)
        return settings.learning_rate * settings.step_factor**falls
    return settings.learning_rate
