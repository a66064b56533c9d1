"""The logits of a network in training."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from beholder._core.errors import InputError


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
