"""The recipe ``steered``: one batch with a diversity term whose strength follows each image's activation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, final

import numpy as np

from beholder.models import Unit
from beholder.synthesis.engine._loop import Recipe
from beholder.synthesis.engine._optimizers import Adam
from beholder.synthesis.engine._session import ProblemResult
from beholder.synthesis.objectives._base import Objective
from beholder.synthesis.objectives._steered import SteeredDiversity, find_levels


@final
@dataclass(frozen=True)
class Steering:
    """Numbers of the recipe.

    Attributes
    ----------
    gain : float
        Pull of the term in that of the activation, at the layer, for images as strong as those made without it.
    ramp : float
        Slack from which on an image takes its full share, in parts of the way from the yardstick to those made without.
    margin : float
        What images keep above the yardstick, in the same parts.
    haste : float
        Learning rate, in that of the images made without the term.
    """

    gain: float = 0.8
    ramp: float = 0.3
    margin: float = 0.05
    haste: float = 2.0

    def to_dict(self) -> dict[str, Any]:
        """For the settings of an output."""
        return asdict(self)


STEERING = Steering()


def steer_objective(
    wanted: Objective, unit: Unit, sign: int, yardstick: float, plain: ProblemResult, *, is_activation: bool,
    steering: Steering = STEERING,
) -> SteeredDiversity:  # fmt: skip
    """The objective of images that are to differ as far as each stays beyond a yardstick.

    Parameters
    ----------
    wanted : Objective
        Signed.
    unit : Unit
    sign : {1, -1}
    yardstick : float
        Activation to stay beyond, turned by ``sign``.
    plain : ProblemResult
        Images made for ``wanted`` alone, all beyond the yardstick.
    is_activation : bool
        Their losses are minus the activation; else it is known at their end only, and the same is needed at each step.
    """
    end = float(np.mean(sign * plain.saved_scores.astype(np.float64)))
    if is_activation:
        usual = (-plain.losses.astype(np.float64)).mean(0)
        rise = end - float(usual[0])
        share = (yardstick - float(usual[0])) / rise if rise > 0 else 1.0
        needed = find_levels(usual, share + steering.margin * (1 - share))
    else:
        usual = np.array([end])
        needed = (yardstick + steering.margin * (end - yardstick),)
    return SteeredDiversity(
        wanted, unit.layer, unit.channel, sign, needed, tuple(usual.tolist()), gain=steering.gain, ramp=steering.ramp
    )


def hasten(recipe: Recipe, steering: Steering = STEERING) -> Recipe:
    """The engine's recipe with the learning rate of images that are to differ: they have further to go."""
    assert isinstance(recipe.optimizer, Adam) and recipe.optimizer.learning_rate is not None
    rate = steering.haste * recipe.optimizer.learning_rate
    return replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=rate))
