"""The logits of a network in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.narrowing import class_of


def read_logits(output: Any) -> Tensor:
    """Logits of what a network returns: a tensor, the first of a tuple, or what it calls ``logits``.

    Raises
    ------
    InputError
        None of these.
    """
    parts = cast(Sequence[Any], output) if isinstance(output, (tuple, list)) else ()
    first: Any = parts[0] if parts else getattr(cast(Any, output), "logits", cast(Any, output))
    if not isinstance(first, Tensor):
        raise InputError("a network that puts out logits", got=class_of(output).__name__)
    return first
