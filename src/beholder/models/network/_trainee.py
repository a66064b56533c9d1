"""A model whose network is its own and learns."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import tell
from beholder.models.definitions._base import get_source
from beholder.models.definitions._meta import build_on_meta
from beholder.models.network._copy_module import Copier
from beholder.models.network._model import Model


@suggest_keywords
def copy_trainee(model: Model, device: str | torch.device | None = None) -> Model:
    """A model with a network of its own to train, in training mode; what was given stays as it is.

    Networks that a source loaded learn with all that learns in them as they are built. Of a module of the user's,
    parameters that need no gradients stay as they are.

    Parameters
    ----------
    model : Model
    device : str, optional
        Default where the model is.

    Raises
    ------
    InputError
        No parameter needs gradients.

    Examples
    --------
    >>> from beholder.models import wrap
    >>> net = nn.Linear(3, 2).eval()
    >>> other = copy_trainee(wrap(net)).module
    >>> other.training, net.training, other.weight.data_ptr() == net.weight.data_ptr()
    (True, False, False)
    """
    source = model.module if model.state is None else model.state.start
    with torch.inference_mode(False), torch.no_grad():
        module = copy_module(source)
        if device is not None:
            module = module.to(device)
    frozen = find_frozen(model) if model.spec is not None else _list_frozen(source)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in frozen and parameter.is_floating_point())
    n_free = sum(parameter.requires_grad for parameter in module.parameters())
    total = sum(1 for _ in module.parameters())
    if not n_free:
        got = f"{model.name}, all of whose {total} are frozen" if total else f"{model.name}, which has none"
        raise InputError("a network with parameters to train", got=got, hint="module.requires_grad_(True) before")
    if n_free < total:
        tell("%s: %d of %d parameter tensors are frozen and stay as they are", model.name, total - n_free, total)
    return replace(model, module=module.train(), state=None)


@suggest_keywords
def copy_module(module: nn.Module) -> nn.Module:
    """A tree of modules anew, with parameters and buffers of its own."""
    made = Copier().copy_tree(module)
    for parameter in made.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.preserve_format)
    return made


def find_frozen(model: Model) -> set[str]:
    """Parameters that a source's own code freezes when it builds the network."""
    if model.spec is None:
        return set()
    definition = get_source(model.spec.source).find(model.spec.model, model.spec.variant)
    return _list_frozen(build_on_meta(definition.build))


def _list_frozen(module: nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
