"""Where images may lie: projections applied after each step, image by image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from beholder._core.errors import InputError


class Constraint(ABC):
    """A set of allowed images and the nearest point in it."""

    needs_origin: ClassVar[bool]
    """Whether it is relative to each problem's ``origin``."""

    @abstractmethod
    def project(self, images: Tensor, origins: Tensor | None) -> Tensor:
        """The nearest allowed images, (n, *shape); row i from row i alone."""


@final
@dataclass(frozen=True)
class Range(Constraint):
    """Values between two bounds.

    Parameters
    ----------
    low, high : float
    """

    low: float
    high: float

    needs_origin: ClassVar[bool] = False

    def project(self, images: Tensor, origins: Tensor | None) -> Tensor:
        """Clamp."""
        return images.clamp(self.low, self.high)


@final
@dataclass(frozen=True)
class L2Ball(Constraint):
    """``‖x − origin‖₂ ≤ radius``.

    Parameters
    ----------
    radius : float
    """

    radius: float

    def __post_init__(self) -> None:
        _check_radius(self.radius)

    needs_origin: ClassVar[bool] = True

    def project(self, images: Tensor, origins: Tensor | None) -> Tensor:
        """Shrink the difference where it is longer."""
        assert origins is not None
        difference = images - origins
        length = torch.linalg.vector_norm(difference.flatten(1), dim=1).clamp_min(1e-30)
        factor = (self.radius / length).clamp_max(1.0).view(-1, *(1,) * (images.ndim - 1))
        return torch.where(factor < 1, origins + difference * factor, images)


@final
@dataclass(frozen=True)
class LinfBall(Constraint):
    """``|x − origin| ≤ radius`` for every value.

    Parameters
    ----------
    radius : float
    """

    radius: float

    def __post_init__(self) -> None:
        _check_radius(self.radius)

    needs_origin: ClassVar[bool] = True

    def project(self, images: Tensor, origins: Tensor | None) -> Tensor:
        """Clamp the difference."""
        assert origins is not None
        return torch.minimum(torch.maximum(images, origins - self.radius), origins + self.radius)


def _check_radius(radius: float) -> None:
    if not radius >= 0:
        raise InputError("a radius of 0 or more", got=str(radius))
