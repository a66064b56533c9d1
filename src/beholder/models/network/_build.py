"""From a recipe to a module with its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from beholder._core.seeds import derive_seed
from beholder.models.definitions._base import RANDOM, ModelDefinition, Weights
from beholder.models.definitions._meta import build_on_meta
from beholder.models.weights._read import explain_missing, load_file_weights

if TYPE_CHECKING:
    from torch import nn

    from beholder.models.network._model import ModelSpec


def build_module(spec: ModelSpec, definition: ModelDefinition, device: str) -> tuple[nn.Module, Weights]:
    """The module of a recipe on a device, in eval mode and float32; on ``meta`` without weights."""
    if device == "meta":
        module, weights = build_on_meta(definition.build), Weights(tag=spec.tag)
    else:
        module, weights = _build_with_weights(spec, definition)
        module = module.float().to(device)
    return module.eval().requires_grad_(False), weights


def _build_with_weights(spec: ModelSpec, definition: ModelDefinition) -> tuple[nn.Module, Weights]:
    import torch

    model = f"{definition.source}:{definition.name}"
    if spec.file is None and spec.tag != RANDOM and definition.fetch_tag is not None:
        definition.fetch_tag(spec.tag)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(spec.seed, "random weights", model))
        if spec.file is None and spec.tag != RANDOM and definition.build_tag is not None:
            return definition.build_tag(spec.tag)
        module = definition.build()
    if spec.file is not None:
        adapt = definition.adapt_state_dict
        return module, load_file_weights(module, Path(spec.file), tag=spec.tag, adapt=adapt, keys=spec.keys)
    if spec.tag == RANDOM:
        return module, Weights(tag=RANDOM)
    if definition.load_tag is None:
        raise explain_missing(model, spec.tag, got="a source that publishes none for it")
    return module, definition.load_tag(module, spec.tag)
