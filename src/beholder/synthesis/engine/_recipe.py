"""From what a user asks for to a recipe, with the defaults filled in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from beholder._core.errors import InputError
from beholder.models import Model
from beholder.synthesis.engine._loop import Recipe
from beholder.synthesis.engine._optimizers import Adam, Optimizer
from beholder.synthesis.engine._stopping import StopRule
from beholder.synthesis.images._constraints import Constraint, Range
from beholder.synthesis.images._fourier import Fourier
from beholder.synthesis.images._parameterization import Parameterization, Raw, Waveform
from beholder.synthesis.images._transforms import Affine, Transform, as_transforms
from beholder.synthesis.objectives._base import Objective, Problem

_JITTER = 8.0 / 224
"""Of the shorter side: 8 pixels of the usual 224."""


def make_default_transforms(shape: Sequence[int]) -> tuple[Transform, ...]:
    """Small shifts, scales and rotations; shifts in proportion to the picture.

    Parameters
    ----------
    shape : (channels, height, width)

    >>> [make_default_transforms((3, side, side))[0].jitter for side in (224, 28)]
    [8.0, 1.0]
    """
    return (Affine(jitter=_JITTER * min(shape[1:]), scale=(0.95, 1.05), rotate=5.0, crop=0, fill="reflect"),)


DEFAULT_TRANSFORMS = make_default_transforms((3, 224, 224))
"""Those of pictures of the usual size."""


def list_problems(objective: Any, seed: int, n_images: int) -> list[Problem]:
    """Bare objectives become problems."""
    given = [objective] if isinstance(objective, Objective | Problem) else list(objective)
    if not given:
        raise InputError("at least one objective", got="none")
    return [each if isinstance(each, Problem) else Problem(each, seed=seed, n_images=n_images) for each in given]


def make_recipe(
    model: Model,
    shape: tuple[int, ...],
    parameterization: Parameterization | None,
    transforms: Sequence[Transform | Callable[[Tensor], Tensor]] | None,
    constraints: Sequence[Constraint],
    optimizer: Optimizer | None,
    *,
    steps: int,
    stop: tuple[StopRule, ...],
    redirect_steps: int,
    samples: int,
    keep: str,
    transparency: bool,
) -> Recipe:
    """Fill in the defaults and refuse parts that do not go together."""
    if parameterization is None:
        parameterization = pick_parameterization(model, shape)
    if transforms is None:
        transforms = () if parameterization.is_direct or len(shape) != 3 else make_default_transforms(shape)
    transforms = as_transforms(transforms)
    if transforms and len(shape) != 3:
        raise InputError("pictures for transforms", got=f"stimuli of shape {shape}", hint="transforms=()")
    optimizer = Adam() if optimizer is None else optimizer
    if isinstance(optimizer, Adam) and optimizer.learning_rate is None:
        optimizer = dataclasses.replace(optimizer, learning_rate=parameterization.learning_rate)
    limits = tuple(constraints)
    if limits and not parameterization.is_direct:
        raise InputError("a direct parameterisation for constraints", got=type(parameterization).__name__, hint="Raw()")
    if parameterization.is_direct and model.input_range is not None:
        limits = (*limits, Range(*model.input_range))
    if limits and not optimizer.allows_constraints:
        raise InputError(
            f"no constraint with {type(optimizer).__name__}", got=", ".join(type(c).__name__ for c in limits),
            hint="Pixels(), which stays in range by itself",
        )  # fmt: skip
    if keep not in ("last", "best"):
        raise InputError("keep: last or best", got=repr(keep))
    return Recipe(
        parameterization=parameterization, transforms=transforms, constraints=limits, optimizer=optimizer,
        input_shape=shape, value_range=model.input_range, steps=steps, stop=stop, redirect_steps=redirect_steps,
        samples=samples, keep=keep, transparency=transparency,
    )  # fmt: skip


def pick_parameterization(model: Model, shape: tuple[int, ...]) -> Parameterization:
    """What suits the model's stimuli."""
    if model.modality == "sound":
        return Waveform()
    if len(shape) == 3 and shape[0] in (1, 3):
        return Fourier()
    return Raw(mean=0.0 if model.input_range is None else sum(model.input_range) / 2)
