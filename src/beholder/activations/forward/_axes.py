"""Pooling over a layer's axes."""

from __future__ import annotations

import math

from torch import Tensor

from beholder._core.errors import InputError

POOLS = ("none", "mean", "max", "cls", "center")


def pool_activations(values: Tensor, axes: tuple[str, ...], pool: str) -> Tensor:
    """Reduce activations to one value a channel.

    Parameters
    ----------
    values : Tensor, (n, *features)
        Activations, batch first.
    axes : tuple of str
        Names of the feature axes.
    pool : {"none", "mean", "max", "cls", "center"}
        ``mean``, ``max``: over space, time or tokens (the class token included); ``cls``: the first
        token; ``center``: the unit in the middle of the map, at ``size // 2``.

    Returns
    -------
    Tensor, (n, n_channels)
        Or ``values`` themselves for ``none`` and for layers without space, time or tokens.
    """
    if pool == "none" or "channel" not in axes or len(axes) == 1:
        return values
    if pool == "cls":
        if "token" not in axes:
            raise InputError("a layer with tokens for --pool cls", got=f"axes {', '.join(axes)}", hint="--pool mean")
        values = values.select(1 + axes.index("token"), 0)
        axes = tuple(axis for axis in axes if axis != "token")
        return pool_activations(values, axes, "mean")
    values = values.movedim(1 + axes.index("channel"), 1)
    if pool == "center":
        for size in reversed(values.shape[2:]):
            values = values.select(-1, size // 2)
        return values
    values = values.flatten(2)
    return values.mean(2) if pool == "mean" else values.amax(2)


def pooled_shape(shape: tuple[int, ...], axes: tuple[str, ...], pool: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Shape and axis names after :func:`pool_activations`."""
    if pool == "none" or "channel" not in axes or len(axes) == 1:
        return shape, axes
    return (shape[axes.index("channel")],), ("channel",)


def count_features(shape: tuple[int, ...]) -> int:
    """Number of values a stimulus has in a layer."""
    return math.prod(shape)
