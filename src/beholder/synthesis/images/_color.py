"""Colours as uncorrelated as those of natural pictures are correlated."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

_SQRT_COVARIANCE = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))


@functools.lru_cache(maxsize=16)
def make_color_matrix(device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
    """The 3 × 3 matrix M of ``rgb = M · c``.

    A square root of the covariance of the colours of natural pictures, divided by its largest column norm.

    Source: lucid, ``optvis/param/color.py``; Olah, Mordvintsev and Schubert (2017), "Preconditioning and
    parameterization".
    """
    with torch.inference_mode(False):
        matrix = torch.tensor(_SQRT_COVARIANCE, dtype=torch.float64)
        return (matrix / matrix.norm(dim=0).max()).to(device, dtype)


@functools.lru_cache(maxsize=16)
def _make_inverse(device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.linalg.inv(make_color_matrix("cpu", torch.float64)).to(device, dtype)


def correlate_colors(values: Tensor) -> Tensor:
    """``M · c`` at every pixel, (n, 3, height, width)."""
    return torch.matmul(make_color_matrix(values.device, values.dtype), values.flatten(2)).view(values.shape)


def decorrelate_colors(images: Tensor) -> Tensor:
    """The inverse of :func:`correlate_colors`."""
    return torch.matmul(_make_inverse(images.device, images.dtype), images.flatten(2)).view(images.shape)
