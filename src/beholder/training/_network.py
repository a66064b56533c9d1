"""A network in training: its logits, and eval mode for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from beholder._core.errors import InputError
from beholder.models import Model


def compute_logits(model: Model, x: Tensor) -> Tensor:
    """Logits (n, n_classes), float32, of a prepared batch, by the network in the state that it is in."""
    return read_logits(model.run(x)).float()


def read_logits(output: Any) -> Tensor:
    """Logits of what a network returns: a tensor, the first of a tuple, or what it calls ``logits``.

    Raises
    ------
    InputError
        None of these.
    """
    first = output[0] if isinstance(output, (tuple, list)) and output else getattr(output, "logits", output)
    if not isinstance(first, Tensor):
        raise InputError("a network that puts out logits", got=type(output).__name__)
    return first


@contextlib.contextmanager
def in_eval_mode(module: nn.Module) -> Iterator[None]:
    """Eval mode, and parameters that need no gradients, for a block; then every part is as it was."""
    modes = [(part, part.training) for part in module.modules()]
    needy = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        module.eval()
        for parameter in needy:
            parameter.requires_grad_(False)
        yield
    finally:
        if any(mode for _, mode in modes):
            module.train()
        for part, mode in modes:
            part.training = mode
        for parameter in needy:
            parameter.requires_grad_(True)
