"""What is wanted of an image: a score to be made as high as possible. Objectives compose with operators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import final

import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.registry import Registry
from beholder.synthesis.gradients._view import View


class Objective(ABC):
    """A score for each image of a problem, higher is better; ``a + b``, ``a - b``, ``2 * a``, ``-a`` make new ones.

    Subclass it to bring your own: say which layers are needed, and compute the score. Filed under a name in
    :data:`OBJECTIVES`, or by an entry point of the group ``beholder.objectives``, it is listed with the others.
    """

    @property
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that :meth:`score` reads; ``"output"`` is what the model returns."""

    @abstractmethod
    def score(self, view: View) -> Tensor:
        """Score of each image, (n_images,).

        Parameters
        ----------
        view : View
            What the network computes of this problem's images.
        """

    def __add__(self, other: Objective | float) -> Sum:
        return Sum((*_list_terms(self), *_list_terms(other)))

    def __radd__(self, other: float) -> Sum:
        return Sum((*_list_terms(other), *_list_terms(self)))

    def __sub__(self, other: Objective | float) -> Sum:
        return self + (-1.0) * other

    def __rsub__(self, other: float) -> Sum:
        return other + (-1.0) * self

    def __mul__(self, factor: float) -> Sum:
        if not isinstance(factor, Real):
            raise InputError("a number to scale an objective by", got=type(factor).__name__)
        return Sum(tuple((weight * float(factor), term) for weight, term in _list_terms(self)))

    def __rmul__(self, factor: float) -> Sum:
        return self * factor

    def __truediv__(self, divisor: float) -> Sum:
        return self * (1.0 / divisor)

    def __neg__(self) -> Sum:
        return self * -1.0


OBJECTIVES: Registry[type[Objective]] = Registry(
    "objective", "beholder.objectives", modules="beholder.synthesis.objectives._*"
)
"""Objectives by name."""


@final
@dataclass(frozen=True)
class Sum(Objective):
    """A weighted sum of objectives, as the operators make it.

    Parameters
    ----------
    terms : tuple of (weight, Objective or None)
        None stands for the number 1.
    """

    terms: tuple[tuple[float, Objective | None], ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers of all terms, each once."""
        return tuple(dict.fromkeys(layer for _, term in self.terms if term is not None for layer in term.layers))

    def score(self, view: View) -> Tensor:
        """Weighted sum of the terms' scores."""
        total = view.images.new_zeros(len(view.images))
        for weight, term in self.terms:
            total = total + (weight if term is None else weight * term.score(view))
        return total


@final
@dataclass(frozen=True)
class Problem:
    """One independent piece of work: an objective, a seed, and how many images are made together.

    Parameters
    ----------
    objective : Objective
        What is wanted of its images.
    seed : int
        All of its randomness.
    n_images : int
        Images that are made together, so that a term such as :class:`Diversity` can relate them. Their
        beginnings and augmentations differ.
    start : array, (*input_shape) or (n_images, *input_shape), optional
        Images to start from, as ``model.prepare`` gives them, in place of noise.
    origin : array, likewise, optional
        Centre of a ball that the images must stay in; default: ``start``.
    """

    objective: Objective
    seed: int = 42
    n_images: int = 1
    start: object = None
    origin: object = None

    def __post_init__(self) -> None:
        if not isinstance(self.objective, Objective):
            raise InputError("an objective", got=type(self.objective).__name__, hint="Channel('features.6', 3)")
        if self.n_images < 1:
            raise InputError("at least one image", got=str(self.n_images))


def _list_terms(value: Objective | float) -> tuple[tuple[float, Objective | None], ...]:
    if isinstance(value, Sum):
        return value.terms
    if isinstance(value, Objective):
        return ((1.0, value),)
    if isinstance(value, Real):
        return ((float(value), None),)
    raise InputError("an objective or a number", got=type(value).__name__)


def check_scores(scores: Tensor, n_images: int, objective: Objective) -> Tensor:
    """Scores of a problem's images, or an error that says what a user's objective gave instead."""
    if not isinstance(scores, torch.Tensor) or tuple(scores.shape) != (n_images,):
        got = f"shape {tuple(scores.shape)}" if isinstance(scores, torch.Tensor) else type(scores).__name__
        raise InputError(f"a tensor of {n_images} scores from {type(objective).__name__}.score", got=got)
    return scores
