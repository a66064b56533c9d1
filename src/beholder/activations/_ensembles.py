"""Ensembles of feature maps: the global maximum of each map of many layers, joined.

``conv_ensemble`` joins all convolutions, ``maxpool_ensemble`` all max-pools, in network order,
the last but one layer times 5 and the last times 10; ``convpen_ensemble`` and
``maxpoolpen_ensemble`` append the penultimate layer unscaled. In AlexNet and VGG the penultimate
layer is ``classifier.3``; in other networks what the last linear layer takes in.

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
        Pool is ``max`` for maps and ``none`` for the penultimate layer.

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
    documented = [path for path in layers if path.startswith("features.")]
    layers = documented if documented and "classifier.3" in modules else layers
    if not layers:
        raise InputError(f"a network with {wanted.__name__} layers for {name}", got=type(model).__name__)
    scales = [1.0] * len(layers)
    scales[-1] = 10.0
    if len(scales) > 1:
        scales[-2] = 5.0
    parts = [(path, "max", scale) for path, scale in zip(layers, scales, strict=True)]
    if penultimate:
        parts.append((_find_penultimate(modules), "none", 1.0))
    return parts


def _find_penultimate(modules: dict[str, nn.Module]) -> str:
    if "classifier.3" in modules and "features" in modules:
        return "classifier.3"
    linear = [path for path, module in modules.items() if isinstance(module, nn.Linear)]
    if not linear:
        raise InputError("a network with a linear layer for a penultimate layer", got="one without")
    return f"{linear[-1]}:in"
