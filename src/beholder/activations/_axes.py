"""Which axis of a layer's output is what, and pooling over them."""

from __future__ import annotations

import math

from torch import Tensor, nn

from beholder._core.errors import InputError
from beholder.models import Cochleagram, LogMel

POOLS = ("none", "mean", "max", "cls", "center")

_CHANNELS_SECOND = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    Cochleagram,
    LogMel,
)
_CHANNELS_LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Embedding, nn.MultiheadAttention)


def name_axes(shape: tuple[int, ...], module: nn.Module, side: str = "out") -> tuple[str, ...]:
    """Names of a layer's feature axes, batch axis left out.

    Convolutions, batch norms, pools and cochleagrams have their channels first, linear layers and layer norms
    last; elsewhere four axes are read as (channel, height, width) unless only the first two of the
    three agree in size, three as (token, channel).

    Parameters
    ----------
    shape : tuple of int
        Sizes of the feature axes.
    module : nn.Module
        The module whose output or input it is.
    side : {"out", "in", "weights", "heads"}

    Returns
    -------
    tuple of str
        One unique name an axis; ``"channel"`` is always among them, except for attention weights.
    """
    if side == "weights":
        return ("head", "query", "key")
    if side == "heads":
        return ("head", "token", "channel")
    last = isinstance(module, _CHANNELS_LAST) or type(module).__name__.endswith(("LayerNorm", "RmsNorm"))
    second = isinstance(module, _CHANNELS_SECOND) and not type(module).__name__.startswith("LayerNorm")
    if len(shape) == 3:
        looks_last = shape[0] == shape[1] != shape[2]
        if (last and not type(module).__name__.endswith("2d")) or (looks_last and not second):
            return ("height", "width", "channel")
        return ("channel", "height", "width")
    if len(shape) == 2:
        return ("channel", "time") if second else ("token", "channel")
    if len(shape) == 1:
        return ("channel",)
    if len(shape) == 4:
        return ("channel", "frame", "height", "width")
    return tuple(["channel", *(f"axis{i}" for i in range(1, len(shape)))][: len(shape)])


def pool_activations(values: Tensor, axes: tuple[str, ...], pool: str) -> Tensor:
    """Reduce activations to one value a channel.

    Parameters
    ----------
    values : Tensor, (n, *features)
        Activations, batch first.
    axes : tuple of str
        Names of the feature axes, as :func:`name_axes` gives them.
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
