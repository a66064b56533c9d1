"""Lengths of perturbations, projections onto balls, steps along gradients."""

from __future__ import annotations

import math
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from beholder._core.errors import InputError, suggest_keywords
from beholder.synthesis.attacks._l1 import find_l1_threshold, shrink_by

Norm = Literal["l2", "linf", "l1"]
NORMS: tuple[str, ...] = get_args(Norm)
"""Norms of attacks, by name."""

_TINY = 1e-20
_BLOCK = 1024


def check_norm(norm: str) -> None:
    """Refuse other norms than the three."""
    if norm not in NORMS:
        raise InputError(f"a norm: {', '.join(NORMS)}", got=repr(norm))


def spread(values: Tensor, like: Tensor) -> Tensor:
    """Numbers of stimuli, (n,), in the shape that multiplies a batch: (n, 1, ...)."""
    return values.view(-1, *(1,) * (like.ndim - 1))


def read_radius(radius: float | Tensor, x: Tensor) -> Tensor:
    """A radius a stimulus, (n,), from one for all or one for each.

    Raises
    ------
    InputError
        A radius that is negative or no number; another number of them than stimuli.
    """
    radii = torch.as_tensor(radius, dtype=x.dtype, device=x.device)
    if radii.ndim > 1 or (radii.ndim == 1 and len(radii) != len(x)):
        raise InputError(f"one radius, or {len(x)} (one a stimulus)", got=f"radii of shape {tuple(radii.shape)}")
    if not bool((torch.isfinite(radii) & (radii >= 0)).all()):
        raise InputError("a radius of 0 or more", got=str(float(radii.min())))
    return radii.expand(len(x))


@suggest_keywords
def measure_norms(differences: Tensor, norm: str) -> Tensor:
    """The length of each row of a batch.

    Parameters
    ----------
    differences : (n, *shape)
        Such as ``attacked.x - x``.
    norm : {"l2", "linf", "l1"}

    Returns
    -------
    Tensor, (n,), float64

    Examples
    --------
    >>> measure_norms(torch.tensor([[3.0, -4.0]]), "l1"), measure_norms(torch.tensor([[3.0, -4.0]]), "l2")
    (tensor([7.], dtype=torch.float64), tensor([5.], dtype=torch.float64))
    """
    check_norm(norm)
    return _measure(differences.detach().flatten(1).double(), norm)


def _measure(rows: Tensor, norm: str) -> Tensor:
    if norm == "l2":
        return measure_length(rows)
    return rows.abs().amax(1) if norm == "linf" else rows.abs().sum(1)


def measure_length(rows: Tensor) -> Tensor:
    """The L2 length of each row, (n,), in its own numbers: of blocks first, so that rounding does not add up."""
    whole = rows.shape[1] // _BLOCK * _BLOCK
    blocks = _measure_rows(rows[:, :whole].reshape(len(rows), -1, _BLOCK), dim=2)
    return _measure_rows(torch.cat([blocks, _measure_rows(rows[:, whole:], dim=1)[:, None]], dim=1), dim=1)


def _measure_rows(rows: Tensor, dim: int) -> Tensor:
    return cast("Tensor", torch.linalg.vector_norm(rows, dim=dim))  # pyright: ignore[reportUnknownMemberType]


def find_range(origin: Tensor, low: float | None, high: float | None) -> tuple[Tensor | None, Tensor | None]:
    """The valid range of each value: [low, high], widened to a stimulus's own values that lie beyond."""
    return (
        None if low is None else origin.clamp(max=low),
        None if high is None else origin.clamp(min=high),
    )


def keep_in_range(x: Tensor, lows: Tensor | None, highs: Tensor | None) -> Tensor:
    """Clamp to the range that :func:`find_range` gave."""
    if lows is not None:
        x = torch.maximum(x, lows)
    return x if highs is None else torch.minimum(x, highs)


def add_inwards(origin: Tensor, difference: Tensor) -> Tensor:
    """``origin + difference``, rounded towards the origin where rounding would lead further away from it."""
    x = origin + difference
    is_beyond = (x - origin).abs() > difference.abs()
    step = x.abs() * (2 * torch.finfo(x.dtype).eps)  # one unit in the last place at least
    x = torch.where(is_beyond, x - difference.sign() * step, x)
    return torch.where((x - origin) * difference < 0, origin, x)


def project_difference(difference: Tensor, norm: str, radii: Tensor) -> Tensor:
    """The nearest point of the ball around 0: (n, *shape)."""
    if norm == "linf":
        bound = spread(radii, difference)
        return torch.minimum(torch.maximum(difference, -bound), bound)
    if norm == "l2":
        length = measure_length(difference.flatten(1)).clamp_min(_TINY)
        return difference * spread((radii / length).clamp_max(1.0), difference)
    return shrink_by(difference, find_l1_threshold(difference, radii))


@suggest_keywords
def project_to_ball(
    x: Tensor,
    origin: Tensor,
    *,
    norm: str,
    radius: float | Tensor,
    low: float | None = None,
    high: float | None = None,
) -> Tensor:
    """The nearest point of the ball around ``origin``, then of the valid range, in the order of MadryLab's code.

    Clamping leads nowhere further from the origin, so that the result lies in both. Values of the origin itself that
    lie outside ``[low, high]`` may stay where they are.

    Parameters
    ----------
    x, origin : (n, *shape)
    norm : {"l2", "linf", "l1"}
    radius : float, or Tensor (n,)
        In the units of ``x``.
    low, high : float, optional
        The valid range; None where there is none.

    Returns
    -------
    Tensor, (n, *shape)
        Row i from row i alone; its distance from the origin is at most the radius, but for rounding of 1e-6 of it.

    Source: Engstrom et al. (2019), Robustness (Python library), ``attack_steps``; for L1, Duchi et al. (2008),
    "Efficient projections onto the l1-ball", ICML.

    Examples
    --------
    >>> project_to_ball(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2), norm="l2", radius=1.0)
    tensor([[0.6000, 0.8000]])
    """
    check_norm(norm)
    inside = project_difference(x - origin, norm, read_radius(radius, x))
    return keep_in_range(add_inwards(origin, inside), *find_range(origin, low, high))


def count_steepest(n_values: int, share: float) -> int:
    """How many values an L1 step moves: those at or above the (1 − share) quantile, at least one."""
    return n_values - math.ceil((1 - share) * (n_values - 1) - 1e-9)


def climb_by(x: Tensor, gradient: Tensor, norm: str, lengths: Tensor, *, share: float = 0.0) -> Tensor:
    r"""A step of a given length in the direction in which a linear function with this gradient grows most.

    .. math:: \mathrm{sign}(g)\ (L_\infty),\qquad g / \lVert g\rVert_2\ (L_2),\qquad
       \mathrm{sign}(g_i)\,e_i / k\ \text{for the $k$ largest}\ |g_i|\ (L_1)

    Parameters
    ----------
    x, gradient : (n, *shape)
    norm : {"l2", "linf", "l1"}
    lengths : (n,)
    share : float in [0, 1]
        Of the values, those that a step in L1 moves; 0 is one value, the steepest ascent itself.

    Returns
    -------
    Tensor, (n, *shape)
        New memory.
    """
    if norm == "linf":
        return gradient.sign().mul_(spread(lengths, x)).add_(x)
    if norm == "l2":
        length = measure_length(gradient.flatten(1)).clamp_min(_TINY)
        return torch.addcmul(x, gradient, spread(lengths / length, x))
    sizes = gradient.flatten(1).abs()
    k = count_steepest(sizes.shape[1], share)
    least = sizes.amax(1) if k == 1 else sizes.topk(k, dim=1, sorted=False).values.amin(1)
    return step_by_signs(x, gradient, sizes, least, lengths)


def step_by_signs(x: Tensor, gradient: Tensor, sizes: Tensor, least: Tensor, lengths: Tensor) -> Tensor:
    """A step of an L1 length along the signs of those values of the gradient whose size is ``least``, (n,), or more."""
    signs = gradient.sign().mul_((sizes >= least[:, None]).view_as(gradient))
    n_moved = signs.flatten(1).abs().sum(1).clamp_min(1)
    return torch.addcmul(x, signs, spread(lengths / n_moved, x))
