"""The nearest point of an L1 ball, within a box or without."""

from __future__ import annotations

import torch
from torch import Tensor

_MOST_ITERATIONS = 100
_TOLERANCE = 1e-7


def find_l1_threshold(difference: Tensor, radii: Tensor, room: Tensor | None = None) -> Tensor:
    r"""By how much every value must shrink for a perturbation to have an L1 length of at most its radius.

    The root :math:`\theta` of :math:`\sum_i \min(\max(|d_i| - \theta, 0), c_i) = r`, with a room :math:`c_i` that is
    infinite without a box; 0 where the length is at most r already. The sum is piecewise linear in
    :math:`\theta`: Newton's step where it stays between the ends known so far, else their mean.

    Parameters
    ----------
    difference : (n, *shape)
    radii : (n,)
    room : (n, *shape), optional
        How far each value may go in its direction.

    Returns
    -------
    Tensor, (n,)

    Source: Duchi et al. (2008), "Efficient projections onto the l1-ball", ICML; with a box, Croce and Hein (2021),
    "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", ICML, section 3.
    """
    sizes = difference.flatten(1).abs()
    caps = None if room is None else room.flatten(1)
    low = torch.zeros_like(radii)
    high = sizes.amax(1)
    theta, is_over = low, torch.ones_like(low, dtype=torch.bool)
    for _ in range(_MOST_ITERATIONS):
        left = sizes - theta[:, None]
        kept = left.clamp_min(0) if caps is None else torch.minimum(left.clamp_min(0), caps)
        excess = kept.sum(1) - radii
        is_over = excess > radii * _TOLERANCE
        is_done = ~is_over & ((theta == 0) | (excess >= -radii * _TOLERANCE))
        if bool(is_done.all()):
            break
        low, high = torch.where(is_over, theta, low), torch.where(is_over, high, theta)
        moving = left > 0 if caps is None else (left > 0) & (left < caps)
        newton = theta + excess / moving.sum(1).clamp_min(1)
        is_between = (newton > low) & (newton < high) & moving.any(1)
        following = torch.where(is_between, newton, (low + high) / 2)
        if bool((is_done | (following == theta)).all()):
            break
        theta = torch.where(is_done, theta, following)
    return torch.where(is_over, high, theta)


def shrink_by(difference: Tensor, threshold: Tensor, room: Tensor | None = None) -> Tensor:
    """Every value nearer to 0 by its row's threshold, and within its room."""
    sizes = (difference.abs() - threshold.view(-1, *(1,) * (difference.ndim - 1))).clamp_min(0)
    return difference.sign() * (sizes if room is None else torch.minimum(sizes, room))


def project_to_l1_in_box(
    x: Tensor, origin: Tensor, radii: Tensor, lows: Tensor | float | None, highs: Tensor | float | None
) -> Tensor:
    """The difference to the nearest point that lies in the L1 ball around ``origin`` and in the box: (n, *shape)."""
    difference = x - origin
    room = torch.full_like(difference, torch.inf)
    if highs is not None:
        room = torch.where(difference > 0, highs - origin, room)
    if lows is not None:
        room = torch.where(difference < 0, origin - lows, room)
    return shrink_by(difference, find_l1_threshold(difference, radii, room), room)
