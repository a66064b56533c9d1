"""Layers of interest: where units are drawn from, by family of architecture.

Source: the families and layers of Zimmermann et al. 2023, "Scale alone does not improve mechanistic
interpretability in vision models", in the module names of this package's sources.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from beholder._core.errors import BeholderError, InputError, suggest_keywords
from beholder.models.layers._tree import LayerInfo, ProbedNetwork, probe_network
from beholder.models.network._input_shape import choose_shape
from beholder.models.network._model import Model
from beholder.models.network._wrap import unwrap_module

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

_TOWERS = ("", "visual.", "visual.trunk.", "trunk.")


@dataclass(frozen=True)
class Family:
    """One family of architectures.

    Attributes
    ----------
    kind : str
        Name of the network's class or of one it derives from.
    layers : str
        Regular expression that a layer's whole path matches, inside the network of that class.
    has_sums : bool
        Add each residual block's sum, before its ReLU.
    owner : str or None
        Class that a matched layer, or the module above it, must have.
    """

    kind: str
    layers: str
    has_sums: bool = False
    owner: str | None = None


FAMILIES = (
    Family("ResNet", r"layer\d+\.\d+\.(conv|bn)[123]", has_sums=True),
    Family("ModifiedResNet", r"layer\d+\.\d+\.(conv|bn)[123]"),
    Family("GoogLeNet", r"inception\d\w\.branch\d(\.\d)?\.bn"),
    Family("DenseNet", r"features\.(denseblock\d+\.denselayer\d+\.(conv|norm)[12]|transition\d+\.(conv|norm))"),
    Family("ConvNeXt", r"stages\.\d+\.blocks\.\d+(\.(conv_dw|norm|mlp\.fc[12]))?"),
    Family("ConvNeXt", r"features\.\d+\.\d+(\.block\.\d+)?", owner="CNBlock"),
    Family("VisionTransformer", r"blocks\.\d+\.(norm1|ls1|norm2|mlp\.fc1|mlp\.fc2|ls2)"),
    Family("VisionTransformer", r"transformer\.resblocks\.\d+\.(ln_1|ls_1|ln_2|mlp\.c_fc|mlp\.c_proj|ls_2)"),
)
"""Tried in order; the first that matches layers which run is used."""


@suggest_keywords
def find_unit_layers(model: str | Model) -> list[str]:
    """Layers that units are drawn from, in the network's order.

    ================================== ==================================================================
    ResNet                             conv1-3, bn1-3 of each block, and its residual sum before the ReLU
    CLIP's ResNet                      conv1-3, bn1-3 of each block
    GoogLeNet                          each convolution of the Inception blocks, normalised, before its ReLU
    DenseNet                           conv1, conv2, norm1, norm2 of each layer; conv, norm of transitions
    ConvNeXt                           each block, its depthwise convolution, norm and two linear layers
    Vision Transformer (timm)          norm1, ls1, norm2, mlp.fc1, mlp.fc2, ls2 of each block
    Vision Transformer (CLIP)          ln_1, ls_1, ln_2, mlp.c_fc, mlp.c_proj, ls_2 of each block
    anything else                      every convolution, linear and norm layer with space, time or tokens
    ================================== ==================================================================

    Parameters
    ----------
    model : str or Model
        A name is looked at without weights.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        There is no such layer.

    Examples
    --------
    >>> len(find_unit_layers("torchvision:resnet50"))
    112
    """
    network = _probe_any(model)
    modules = dict(unwrap_module(network.module).named_modules(remove_duplicate=False))
    infos = {layer.path: layer for layer in network.layers}
    for prefix in _TOWERS:
        tower = modules.get(prefix.rstrip("."))
        for family in FAMILIES if tower is not None else ():
            if any(kind.__name__ == family.kind for kind in type(tower).__mro__):
                found = list(_iter_family(family, prefix, modules, infos))
                if found:
                    return found
    found = list(_iter_any(modules, infos))
    if not found:
        raise InputError(
            "a network with a convolution, linear or norm layer over space, time or tokens",
            got=type(network.module).__name__,
            hint="--layers NAME...",
        )
    return found


def _probe_any(model: str | Model) -> ProbedNetwork:
    try:
        return probe_network(model)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, BeholderError) or isinstance(model, str) or model.input_shape is not None:
            raise
        raise InputError(
            "a model that says what it takes",
            got=f"{model.name}, which does not run on {choose_shape(model.preprocessing)}",
            hint="wrap(module, input_shape=...), or layers=[...]",
        ) from error


def _iter_family(
    family: Family, prefix: str, modules: dict[str, nn.Module], infos: dict[str, LayerInfo]
) -> Iterator[str]:
    pattern = re.compile(family.layers)
    matched = [
        path
        for path in modules
        if path.startswith(prefix) and pattern.fullmatch(path[len(prefix) :]) and _runs_once(infos, path)
    ]
    if family.owner:
        matched = [path for path in matched if _is_cn_layer(path, modules, family.owner)]
    for path, following in itertools.zip_longest(matched, matched[1:], fillvalue=""):
        yield path
        block = path.rpartition(".")[0]
        if family.has_sums and following.rpartition(".")[0] != block:
            yield from _find_sum(block, modules, infos)


def _runs_once(infos: dict[str, LayerInfo], path: str) -> bool:
    return path in infos and infos[path].n_calls == 1


def _is_cn_layer(path: str, modules: dict[str, nn.Module], owner: str) -> bool:
    """A block of torchvision's ConvNeXt, or a layer with weights of one."""
    if type(modules[path]).__name__ == owner:
        return True
    block = modules.get(path.rpartition(".block.")[0])
    return type(block).__name__ == owner and _is_unit_layer(modules[path])


def _find_sum(block: str, modules: dict[str, nn.Module], infos: dict[str, LayerInfo]) -> Iterator[str]:
    """The input of a block's last ReLU, where the block keeps one that can be told."""
    n_convolutions = sum(f"{block}.conv{i}" in modules for i in (1, 2, 3))
    last = f"{block}.act{n_convolutions}"
    shared = infos.get(f"{block}.relu")
    if _runs_once(infos, last):
        yield f"{last}:in"
    elif shared is not None and shared.n_calls == n_convolutions > 1:
        yield f"{block}.relu@{n_convolutions}:in"


def _iter_any(modules: dict[str, nn.Module], infos: dict[str, LayerInfo]) -> Iterator[str]:
    for path, info in infos.items():
        if info.n_calls and info.output_shape and len(info.output_shape) > 1 and _is_unit_layer(modules[path]):
            if info.n_calls == 1:
                yield path
            else:
                yield from (f"{path}@{call}" for call in range(1, info.n_calls + 1))


def _is_unit_layer(module: nn.Module) -> bool:
    from torch import nn

    if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)):
        return True
    is_norm = isinstance(module, (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm))
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return is_norm or ("norm" in type(module).__name__.lower() and bool(own))


def list_layer_names(model: Model) -> list[str]:
    """Every name that a unit's layer can have: module paths, taps, residual sums."""
    modules = dict(unwrap_module(model.module).named_modules(remove_duplicate=False))
    paths = [path for path in modules if path]
    sums = []
    for path in paths:
        block, _, last = path.rpartition(".")
        n_convolutions = sum(f"{block}.conv{i}" in modules for i in (1, 2, 3))
        if n_convolutions > 1 and last == "relu":
            sums.append(f"{path}@{n_convolutions}:in")
        elif n_convolutions > 1 and last == f"act{n_convolutions}":
            sums.append(f"{path}:in")
    return [*paths, *model.taps, *sums]


@suggest_keywords
def load_skeleton(name: str | Model, *, pretrained: bool = False, model_path: str | Path | None = None) -> Model:
    """A model to look at: without weights and memory where the architecture allows, else with random weights.

    Parameters
    ----------
    name : str or Model
        A model is returned as it is.
    pretrained, model_path
        As for :func:`load_model`: they decide the name, nothing is read.
    """
    import logging

    from beholder.models.network._load import load_model, load_unweighted

    if isinstance(name, Model):
        return name
    model = load_model(name, pretrained=pretrained, model_path=model_path, meta=True)
    try:
        probe_network(model)
        return model
    except (RuntimeError, NotImplementedError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        logging.getLogger("beholder").debug("%s is looked at with random weights: %s", name, error)
    from dataclasses import replace

    return replace(
        load_unweighted(name, pretrained=pretrained, model_path=model_path), name=model.name, path_name=model.path_name,
        taps=model.taps, layers=model.layers, metamer_layers=model.metamer_layers, axes=model.axes,
    )  # fmt: skip


@suggest_keywords
def make_blank_input(model: Model) -> Tensor:
    """One prepared stimulus of zeros, (1, *input_shape), where the model is; of a usual size where any will do."""
    import torch

    return torch.zeros((1, *choose_shape(model.preprocessing)), device=model.device)
