"""Ensembles of feature maps: the global maximum of each map of many layers, joined.

``conv_ensemble`` joins all convolutions, ``maxpool_ensemble`` all max-pools, in network order,
the last but one layer times 5 and the last times 10; ``convpen_ensemble`` and
``maxpoolpen_ensemble`` append the penultimate layer unscaled. In AlexNet and VGG the layers are
those of ``features`` and the penultimate one is ``classifier.3``; in other networks all layers, and
what the last linear layer takes in (of a network without any: the maxima of what its last
convolution takes in).

Source: the feature ensembles of the COLING 2020 paper behind the published extraction script.
"""

from __future__ import annotations

from torch import nn

from beholder._core.errors import InputError

ENSEMBLES = ("conv_ensemble", "maxpool_ensemble", "convpen_ensemble", "maxpoolpen_ensemble")
_KINDS = {"conv": nn.Conv2d, "maxpool": nn.MaxPool2d}


def find_ensemble_parts(model: nn.Module, name: str) -> list[tuple[str, str, float]]:
    """The layers of an ensemble, in network order.

    Parameters
    ----------
    model : nn.Module
        The network.
    name : str
        One of the four ensembles.

    Returns
    -------
    list of (layer, pool, scale)
        Pool is ``max`` for maps and ``none`` for a penultimate layer without space.

    Raises
    ------
    InputError
        When the network has no such layers.
    """
    kind = name.removesuffix("_ensemble")
    penultimate = kind.endswith("pen")
    wanted = _KINDS[kind.removesuffix("pen")]
    modules = dict(model.named_modules())
    layers = [path for path, module in modules.items() if isinstance(module, wanted)]
    if _is_documented(modules):
        layers = [path for path in layers if path.startswith("features.")]
    if not layers:
        raise InputError(f"a network with {wanted.__name__} layers for {name}", got=type(model).__name__)
    scales = [1.0] * len(layers)
    scales[-1] = 10.0
    if len(scales) > 1:
        scales[-2] = 5.0
    parts = [(path, "max", scale) for path, scale in zip(layers, scales, strict=True)]
    if penultimate:
        parts.append(_find_penultimate(modules))
    return parts


def _is_documented(modules: dict[str, nn.Module]) -> bool:
    """Whether a network is laid out as AlexNet and VGG are: ``features``, and linear layers up to ``classifier.6``."""
    return "features" in modules and isinstance(modules.get("classifier.6"), nn.Linear)


def _find_penultimate(modules: dict[str, nn.Module]) -> tuple[str, str, float]:
    if _is_documented(modules):
        return ("classifier.3", "none", 1.0)
    linear = [path for path, module in modules.items() if isinstance(module, nn.Linear)]
    if linear:
        return (f"{linear[-1]}:in", "none", 1.0)
    convolutions = [path for path, module in modules.items() if isinstance(module, nn.Conv2d)]
    if convolutions:
        return (f"{convolutions[-1]}:in", "max", 1.0)
    raise InputError("a network with a linear layer or a convolution before its output", got="one without")
