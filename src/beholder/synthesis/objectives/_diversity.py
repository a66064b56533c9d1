"""A diversity term that lets sleeping units wake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from beholder.synthesis.gradients._view import View
from beholder.synthesis.objectives._base import Objective

_SMALL = 1e-12


@final
@dataclass(frozen=True)
class UnitDiversity(Objective):
    """:class:`~beholder.synthesis.Diversity` for the images of one unit; subtract it.

    ``Σ_{j ≠ i} ⟨G_i, G_j⟩`` for image i, G the layer's normalised Gram matrix. An image that leaves the unit silent
    everywhere gets no gradient of this term: its gradient would keep dead rectifiers from being redirected, and the
    image would never wake the unit.

    Parameters
    ----------
    layer : str
    channel : int

    Notes
    -----
    Where all images have fewer positions than there are channels, ``⟨V_i V_iᵀ, V_j V_jᵀ⟩ = ‖V_iᵀ V_j‖²`` saves the
    large matrices.
    """

    layer: str
    channel: int

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """Sum over the problem's other images."""
        values = view.channels(self.layer)
        asleep = (values[:, self.channel] == 0).all(1)
        values = torch.where(asleep[:, None, None], values.detach(), values)
        likeness = compute_likenesses(values)
        return likeness.masked_fill(torch.eye(len(likeness), dtype=torch.bool, device=likeness.device), 0.0).sum(1)


def compute_likenesses(values: Tensor) -> Tensor:
    """Cosine of every two images' Gram matrices, (n_images, n_images).

    Parameters
    ----------
    values : (n_images, n_channels, n_positions)
    """
    n_images, n_channels, n_positions = values.shape
    if n_images * n_positions < n_channels:
        joined = values.movedim(1, 0).flatten(1)
        products = (joined.T @ joined).view(n_images, n_positions, n_images, n_positions).square().sum((1, 3))
        size = products.diagonal().clamp_min(_SMALL**2).sqrt()
        return products / (size[:, None] * size)
    gram = (values @ values.transpose(1, 2)).flatten(1)
    gram = gram / gram.norm(dim=1, keepdim=True).clamp_min(_SMALL)
    return gram @ gram.T
