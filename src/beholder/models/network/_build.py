"""From a recipe to a module with its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from beholder._core.seeds import derive_seed
from beholder.models.definitions._base import RANDOM, Blueprint, Weights
from beholder.models.definitions._meta import build_on_meta
from beholder.models.weights._read import explain_missing, load_file_weights

if TYPE_CHECKING:
    from torch import nn

    from beholder.models.network._model import ModelSpec


def build_module(spec: ModelSpec, blueprint: Blueprint, device: str) -> tuple[nn.Module, Weights]:
    """The module of a recipe on a device, in eval mode and float32; on ``meta`` without weights."""
    if device == "meta":
        module, weights = build_on_meta(blueprint.build), Weights(tag=spec.tag)
    else:
        module, weights = _build_with_weights(spec, blueprint)
        module = module.float().to(device)
    return module.eval().requires_grad_(False), weights


def _build_with_weights(spec: ModelSpec, blueprint: Blueprint) -> tuple[nn.Module, Weights]:
    import torch

    model = f"{blueprint.source}:{blueprint.name}"
    if spec.file is None and spec.tag != RANDOM and blueprint.fetch_tag is not None:
        blueprint.fetch_tag(spec.tag)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(spec.seed, "random weights", model))
        if spec.file is None and spec.tag != RANDOM and blueprint.build_tag is not None:
            return blueprint.build_tag(spec.tag)
        module = blueprint.build()
    if spec.file is not None:
        adapt = blueprint.adapt_state_dict
        return module, load_file_weights(module, Path(spec.file), tag=spec.tag, adapt=adapt, keys=spec.keys)
    if spec.tag == RANDOM:
        return module, Weights(tag=RANDOM)
    if blueprint.load_tag is None:
        raise explain_missing(model, spec.tag, got="a source that publishes none for it")
    return module, blueprint.load_tag(module, spec.tag)
