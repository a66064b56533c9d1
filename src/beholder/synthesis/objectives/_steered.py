"""A diversity term whose strength follows each image's activation, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from beholder.synthesis.gradients._view import View
from beholder.synthesis.objectives._base import Objective
from beholder.synthesis.objectives._units import Channel

_SMALL = 1e-12


@final
@dataclass(frozen=True)
class SteeredDiversity(Objective):
    """What is wanted of one unit's images, minus their likeness, as strongly as their activations bear it.

    ``w_i − α_i D_i`` for image i: w what is wanted, ``D_i = Σ_{j ≠ i} ⟨G_i, G_j⟩``, G the layer's normalised Gram
    matrix, the other images held fast. ``α_i = gain · s̄ · min(1, s_i / ramp) · mean ‖∂w/∂a‖ / mean ‖∂D/∂a‖``: the
    gradients at the layer make both terms pull alike whatever its scale, and the slack s, 0 to 1, says where an image's
    activation stands between what it needs at this step (0) and what images made without the term had (1). All images
    share the mean slack s̄; one that has little itself is left to climb.

    Parameters
    ----------
    wanted : Objective
        Of the same layer, signed.
    layer : str
    channel : int
    sign : {1, -1}
        Whether much or little activation is wanted.
    needed, usual : tuple of float
        At each step, the activation (turned by ``sign``) that an image must have, and that of images made for the
        activation alone, as augmented.
    gain : float
    ramp : float
        Slack from which on an image takes its full share.
    """

    wanted: Objective
    layer: str
    channel: int
    sign: int
    needed: tuple[float, ...]
    usual: tuple[float, ...]
    gain: float
    ramp: float

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """What is wanted, minus the likeness to the problem's other images."""
        wanted, values = self.wanted.score(view), view.layer(self.layer)
        slack = self._find_slack(view)
        if not bool(slack.any()):
            return wanted
        likeness = compute_likeness_to_others(view.channels(self.layer))
        pull, push = (_measure_gradient(scores, values).mean() for scores in (wanted, likeness))
        own = (slack / self.ramp).clamp(max=1.0)
        return wanted - self.gain * slack.mean() * own * pull / push.clamp_min(_SMALL) * likeness

    def _find_slack(self, view: View) -> Tensor:
        """Where activations stand between what is needed, 0, and what is usual, 1."""
        with torch.no_grad():
            level = self.sign * Channel(self.layer, self.channel).score(view)
        step = min(view.step, len(self.needed) - 1)
        needed, usual = self.needed[step], self.usual[step]
        if not usual > needed:
            return torch.zeros_like(level)
        return ((level - needed) / (usual - needed)).clamp(0.0, 1.0)


def compute_likeness_to_others(values: Tensor) -> Tensor:
    """Sum of the cosines of each image's Gram matrix and the others', which get no gradient: (n_images,).

    Parameters
    ----------
    values : (n_images, n_channels, n_positions)
    """
    n_images, n_channels, n_positions = values.shape
    fixed = values.detach()
    alone = torch.eye(n_images, dtype=torch.bool, device=values.device)
    if n_images * n_positions < n_channels:
        joined, others = values.movedim(1, 0).flatten(1), fixed.movedim(1, 0).flatten(1)
        products = (joined.T @ others).view(n_images, n_positions, n_images, n_positions).square().sum((1, 3))
        size = (values.transpose(1, 2) @ values).flatten(1).norm(dim=1).clamp_min(_SMALL)
        likeness = products / (size[:, None] * size.detach())
    else:
        gram = (values @ values.transpose(1, 2)).flatten(1)
        gram = gram / gram.norm(dim=1, keepdim=True).clamp_min(_SMALL)
        likeness = gram @ gram.detach().T
    return likeness.masked_fill(alone, 0.0).sum(1)


def _measure_gradient(scores: Tensor, values: Tensor) -> Tensor:
    """Length of each image's gradient at the layer, (n_images,)."""
    (gradient,) = torch.autograd.grad(scores.sum(), values, retain_graph=True)
    return torch.linalg.vector_norm(gradient.flatten(1), dim=1)


def find_levels(usual: np.ndarray, share: float) -> tuple[float, ...]:
    """What is needed at each step: that share of the rise of images made for the activation alone.

    >>> find_levels(np.array([0.0, 2.0, 4.0]), 0.25)
    (0.0, 0.5, 1.0)
    """
    return tuple((usual[0] + share * (usual - usual[0])).tolist())
