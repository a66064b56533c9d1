"""A look at a few units, in memory: what drives them most, or least."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.models import Model, Unit, UnitList, open_model
from beholder.synthesis.engine._result import Synthesis
from beholder.synthesis.engine._synthesize import synthesize
from beholder.synthesis.images._transforms import Transform
from beholder.synthesis.objectives._base import Problem
from beholder.synthesis.objectives._of_units import USUAL, make_unit_objective
from beholder.synthesis.visualizations._standing import SIGNS


@suggest_keywords
def visualize(
    model: Model | nn.Module | str,
    units: UnitList | Unit | str | Iterable[Unit | str],
    n_images: int = 1,
    *,
    sign: str = "max",
    steps: int = 64,
    objective: str = USUAL,
    device: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    seed: int = DEFAULT_SEED,
    transforms: Sequence[Transform | Callable[[Tensor], Tensor]] | None = None,
) -> Synthesis:
    """Make stimuli that drive units most, for a first look: in memory, seen in a notebook, or by ``show()``.

    :func:`optimize_units` makes the sets of experiments: many units, images that differ, their place among natural
    stimuli, on disk.

    Parameters
    ----------
    model : Model, nn.Module or str
        The observer.
    units : Unit, str ``"layer:channel"``, or several
        What to visualise.
    n_images : int
        Images a unit, from different noise.
    sign : {"max", "min"}
        What drives the units most, or least.
    steps, objective, device, input_shape, seed
        As for :func:`optimize_units`.
    transforms : sequence of Transform or function, optional
        As for :func:`synthesize`.

    Returns
    -------
    Synthesis
        ``images``, (n_units * n_images, *input_shape), unit by unit; ``scores``, the units' activations (for ``min``
        their negatives).

    Raises
    ------
    InputError
        Another sign; what :func:`synthesize` refuses.

    Examples
    --------
    >>> import beholder as bh
    >>> bh.visualize("beholder:shapes", "block3:5", steps=2).images.shape
    (1, 3, 224, 224)
    """
    if sign not in SIGNS:
        raise InputError(f"sign {' or '.join(map(repr, SIGNS))}", got=repr(sign))
    observer = open_model(model, device, seed)
    given: Any = units
    asked = UnitList.collect(given, observer)
    problems = [
        Problem(goal if sign == "max" else -goal, seed, n_images)
        for goal in (make_unit_objective(objective, unit) for unit in asked)
    ]
    return synthesize(observer, problems, steps=steps, input_shape=input_shape, transforms=transforms)
