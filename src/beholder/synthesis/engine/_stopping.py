"""When a problem is finished: pure functions of the history of its losses and gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np


class StopRule(ABC):
    """Says of one problem, after each step, whether it is finished."""

    name: ClassVar[str]
    """What ``stopped_by`` says."""

    needs_gradient: ClassVar[bool]
    """Whether it reads the norms of the gradients."""

    @abstractmethod
    def is_done(self, losses: np.ndarray, norms: np.ndarray) -> bool:
        """Whether to stop.

        Parameters
        ----------
        losses : (n_images, n_steps)
            Loss of each image of the problem at each step so far; NaN or infinite where the optimiser backed off.
        norms : (n_images, n_steps)
            L2 norms of the gradients of each image's numbers; NaN if no rule needs them.
        """


@final
@dataclass(frozen=True)
class TargetReached(StopRule):
    """Every image's loss is at or below a value.

    Parameters
    ----------
    loss : float
    """

    loss: float

    name: ClassVar[str] = "target"
    needs_gradient: ClassVar[bool] = False

    def is_done(self, losses: np.ndarray, norms: np.ndarray) -> bool:
        """Compare the newest losses."""
        return bool((losses[:, -1] <= self.loss).all())


@final
@dataclass(frozen=True)
class Plateau(StopRule):
    """No image's loss fell by more than ``tolerance`` over the newest ``window`` steps.

    Parameters
    ----------
    tolerance : float
        Proportion of the loss ``window`` steps ago, if ``relative``.
    window : int
        Steps.
    relative : bool
    """

    tolerance: float = 1e-4
    window: int = 50
    relative: bool = True

    name: ClassVar[str] = "plateau"
    needs_gradient: ClassVar[bool] = False

    def is_done(self, losses: np.ndarray, norms: np.ndarray) -> bool:
        """Compare the best of the newest window with the best before it."""
        if losses.shape[1] <= self.window:
            return False
        before = np.fmin.reduce(losses[:, : -self.window], axis=1)
        fall = before - np.fmin.reduce(losses[:, -self.window :], axis=1)
        return bool((fall <= self.tolerance * (np.abs(before) if self.relative else 1.0)).all())


@final
@dataclass(frozen=True)
class GradientPlateau(StopRule):
    """The gradient no longer shrinks.

    An exponential moving average of the largest gradient norm among the problem's images; done when its mean over
    the older half of the window is at most ``ratio`` times that over the newer half.

    Parameters
    ----------
    decay : float
        Of the moving average.
    half_window : int
        Steps in either half.
    ratio : float
    after : int
        Steps before the first verdict.

    Notes
    -----
    Source: Zimmermann, Klein and Brendel (2023), released code (``imi``), where the norm is that of the gradient
    transformed back to pixels.
    """

    decay: float = 0.99
    half_window: int = 1000
    ratio: float = 1.1
    after: int = 2500

    name: ClassVar[str] = "gradient plateau"
    needs_gradient: ClassVar[bool] = True

    def is_done(self, losses: np.ndarray, norms: np.ndarray) -> bool:
        """Compare the halves."""
        n_steps = norms.shape[1]
        if n_steps <= self.after or n_steps < 2 * self.half_window:
            return False
        from scipy.signal import lfilter

        largest = norms.max(0).astype(np.float64)
        average, _ = lfilter([1 - self.decay], [1, -self.decay], largest, zi=[self.decay * largest[0]])
        older = average[-2 * self.half_window : -self.half_window].mean()
        newer = average[-self.half_window :].mean()
        return bool(older <= self.ratio * newer)
