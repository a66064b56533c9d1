"""Where the iterates of an attack may lie: a ball around each stimulus, within the valid range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from beholder.synthesis.attacks._l1 import find_l1_threshold, project_to_l1_in_box, shrink_by
from beholder.synthesis.attacks._norms import (
    add_inwards,
    find_range,
    keep_in_range,
    measure_length,
    measure_norms,
    project_difference,
    spread,
)

_SLACK = 1e-6


@final
@dataclass(frozen=True)
class Allowed:
    """The ball and the range, as :func:`allow` makes them.

    Parameters
    ----------
    norm : str
    origin : (n, *shape)
    radii : (n,)
    lows, highs : (n, *shape), float or None
        Ends of the range; for Linf of the ball as well. Numbers where they are the same for all values.
    """

    norm: str
    origin: Tensor
    radii: Tensor
    lows: Tensor | float | None
    highs: Tensor | float | None

    def take(self, rows: Tensor) -> Allowed:
        """For some of the stimuli."""
        lows = self.lows[rows] if isinstance(self.lows, Tensor) else self.lows
        highs = self.highs[rows] if isinstance(self.highs, Tensor) else self.highs
        return replace(self, origin=self.origin[rows], radii=self.radii[rows], lows=lows, highs=highs)

    def place(self, x: Tensor) -> Tensor:
        """Into the ball, then into the range; ``x``, which is written to, but for rounding."""
        if self.norm != "linf":
            difference = x.sub_(self.origin)
            if self.norm == "l2":
                length = measure_length(difference.flatten(1)).clamp_min(1e-20)
                difference = difference.mul_(spread((self.radii / length).clamp_max(1.0), difference))
            else:
                difference = shrink_by(difference, find_l1_threshold(difference, self.radii))
            x = difference.add_(self.origin)
        return self._clamp(x)

    def place_at_once(self, x: Tensor) -> Tensor:
        """The nearest point of ball and range together, which differs from :meth:`place` for L1 alone."""
        if self.norm != "l1":
            return self.place(x)
        inside = project_to_l1_in_box(x, self.origin, self.radii, self.lows, self.highs)
        return self._clamp(inside.add_(self.origin))

    def _clamp(self, x: Tensor) -> Tensor:
        if isinstance(self.lows, float) or isinstance(self.highs, float):
            return x.clamp_(self.lows, self.highs)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        if isinstance(self.lows, Tensor):
            x = torch.maximum(x, self.lows, out=x)
        return torch.minimum(x, self.highs, out=x) if isinstance(self.highs, Tensor) else x

    def find_outside(self, x: Tensor) -> Tensor:
        """Positions of rows that rounding led out of their ball; for Linf, whose ends are rounded inwards, none."""
        if self.norm == "linf":
            return torch.arange(0, device=x.device)
        lengths = measure_norms(x - self.origin, self.norm)
        return (lengths > self.radii.double() * (1 + _SLACK)).nonzero()[:, 0]

    def bring_inside(self, x: Tensor) -> Tensor:
        """Into the ball, every value rounded towards the origin."""
        inside = add_inwards(self.origin, project_difference(x - self.origin, self.norm, self.radii))
        return self._clamp(inside)


def allow(norm: str, origin: Tensor, radii: Tensor, low: float | None, high: float | None) -> Allowed:
    """The ball around each stimulus and the range [low, high], widened to the stimulus's own values that lie beyond."""
    if norm == "linf":
        lows, highs = find_range(origin, low, high)
        bound = spread(radii, origin)
        below, above = torch.minimum(_end(origin, -bound), origin), torch.maximum(_end(origin, bound), origin)
        return Allowed(norm, origin, radii, keep_in_range(below, lows, None), keep_in_range(above, None, highs))
    is_within = (low is None or bool((origin >= low).all())) and (high is None or bool((origin <= high).all()))
    if is_within:
        return Allowed(norm, origin, radii, None if low is None else float(low), None if high is None else float(high))
    return Allowed(norm, origin, radii, *find_range(origin, low, high))


def _end(origin: Tensor, bound: Tensor) -> Tensor:
    """``origin + bound``, (n, *shape), rounded towards the origin at least."""
    end = origin + bound
    further_in = torch.addcmul(end, end.abs(), bound.sign() * (-2 * torch.finfo(end.dtype).eps))
    return torch.where((end - origin).abs_() > bound.abs(), further_in, end)
