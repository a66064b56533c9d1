"""Gradient straight through the rectifier that ends a layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from beholder.models import StimulusAxis

_RECTIFIERS = ("ReluBackward", "HardtanhBackward")
_KEEP_VALUES = ("Cat", "View", "Reshape", "ReshapeAlias", "UnsafeView", "Clone", "Alias", "Permute", "Transpose")
_KEEP_VALUES += ("T", "Squeeze", "Unsqueeze", "Copy", "AsStrided", "ToCopy")


def find_rectifiers(node: Any) -> list[Any]:
    """Rectifiers whose outputs make up a tensor with no arithmetic in between, from its ``grad_fn``."""
    found, stack, seen = [], [node], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        name = node.name().removeprefix("torch::autograd::")
        if name.startswith(_RECTIFIERS):
            found.append(node)
        elif name.split("Backward")[0] in _KEEP_VALUES:
            stack.extend(parent for parent, _ in node.next_functions)
    return found


def pass_straight(node: Any, rows: slice, place: StimulusAxis) -> int:
    """Make the backward pass of a layer's own rectifiers the identity, for some items of the batch.

    Parameters
    ----------
    node : autograd node or None
        ``grad_fn`` of the layer's tensor.
    rows : slice
        Items of the batch.
    place : StimulusAxis
        Where the rectifiers' outputs keep the stimuli.

    Returns
    -------
    int
        How many rectifiers were found.

    Notes
    -----
    The forward pass is unchanged. Source: Feather et al. (2023), metamer generation ("fake ReLU").
    """

    def replace(grad_inputs: tuple[Tensor, ...], grad_outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if grad_inputs[0] is None or grad_outputs[0] is None:
            return None
        index = (slice(None),) * place.axis + (place.find_rows(rows, grad_inputs[0].shape[place.axis]),)
        changed = grad_inputs[0].clone(memory_format=torch.preserve_format)
        changed[index] = grad_outputs[0][index]
        return (changed, *grad_inputs[1:])

    rectifiers = find_rectifiers(node)
    for rectifier in rectifiers:
        rectifier.register_hook(replace)
    return len(rectifiers)
