"""Following the axes of a batch through a network's operations, in one pass."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from beholder._core.errors import suggest_keywords
from beholder.models.front_ends._cochleagram import Cochleagram
from beholder.models.front_ends._log_mel import LogMel
from beholder.models.layers._axis_atoms import (
    CHANNEL,
    FREQUENCY,
    HEIGHT,
    STIMULUS,
    TIME,
    WIDTH,
    Atom,
    Axes,
    measure,
)
from beholder.models.layers._axis_moves import Call
from beholder.models.layers._axis_rules import find_rule

logger = logging.getLogger("beholder")

_UNSURE = (LookupError, TypeError, ValueError, AttributeError, AssertionError, ZeroDivisionError, RuntimeError)
_INPUTS: dict[str, dict[int, tuple[str, ...]]] = {
    "image": {3: (CHANNEL, HEIGHT, WIDTH)},
    "sound": {1: (TIME,), 2: (CHANNEL, TIME)},
}
_SPECTRA = (Cochleagram, LogMel)


class FollowAxes(TorchDispatchMode):
    """Within the block, the axes of all that is computed from a batch are followed.

    Parameters
    ----------
    batch : Tensor, (n, *input_shape)
        Prepared stimuli.
    modality : str
        ``"image"``, ``"sound"`` or ``"array"``, whose axes are told by the operations alone.
    """

    def __init__(self, batch: Tensor, modality: str = "array") -> None:
        super().__init__()
        self._axes: Any = WeakTensorKeyDictionary()
        kinds: Sequence[str | None] = _INPUTS.get(modality, {}).get(batch.ndim - 1) or [None] * (batch.ndim - 1)
        sizes = tuple(batch.shape)
        inner = [(Atom(size, kind),) for size, kind in zip(sizes[1:], kinds, strict=True)]
        self._axes[batch] = ((Atom(sizes[0], STIMULUS),), *inner)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Not asked to: torch would load its compiler, a second's import, to keep it away from the method below."""
        return False

    def find(self, tensor: Tensor) -> Axes | None:
        """What the axes of a tensor are made of; None where they were lost on the way."""
        return self._axes.get(tensor)

    def put(self, tensor: Tensor, axes: Axes | None) -> None:
        """Say what the axes of a tensor are made of; what does not fit its shape is dropped."""
        if axes is not None and tuple(measure(axis) for axis in axes) == tuple(tensor.shape):
            self._axes[tensor] = axes
        else:
            self._axes.pop(tensor, None)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """One operation."""
        kwargs = kwargs or {}
        rule = find_rule(func)
        if rule is None and _is_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        named = _bind(func, args, kwargs)
        tensors = list(_iter_tensors(named.values()))
        before = {id(tensor): axes for tensor in tensors if (axes := self.find(tensor)) is not None}
        shapes = {id(tensor): tuple(tensor.shape) for tensor in tensors}
        result = func(*args, **kwargs)
        made = list(_iter_tensors([result]))
        if not made or not before:
            return result
        found: Any = None
        if rule is not None:
            try:
                found = rule(Call(named, before, shapes, made))
            except _UNSURE as error:
                logger.debug("the axes of %s are not followed: %s", func, error)
        each = found if isinstance(found, list) else [found]
        for i, tensor in enumerate(made):
            self.put(tensor, each[i] if i < len(each) else None)
        return result


def _is_composite(func: Any) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")


def _bind(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    names = [argument.name for argument in func._schema.arguments]
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _iter_tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _iter_tensors(value)


@suggest_keywords
@contextlib.contextmanager
def follow_axes(module: nn.Module, batch: Tensor, modality: str = "array") -> Iterator[FollowAxes]:
    """Follow the axes of a batch through what runs in the block.

    Parameters
    ----------
    module : nn.Module
        The network; what its cochleagrams and log-mel spectrograms give is named too.
    batch : Tensor, (n, *input_shape)
    modality : str
        As for :class:`FollowAxes`.
    """
    mode = FollowAxes(batch, modality)

    def name_spectrum(_module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        axes = mode.find(args[0]) if args and isinstance(args[0], Tensor) else None
        if axes is not None and isinstance(output, Tensor) and output.ndim == len(axes) + 1:
            n_bands, n_frames = output.shape[-2:]
            mode.put(output, (*axes[:-1], (Atom(n_bands, FREQUENCY),), (Atom(n_frames, TIME),)))

    handles = [part.register_forward_hook(name_spectrum) for part in module.modules() if isinstance(part, _SPECTRA)]
    try:
        with mode:
            yield mode
    finally:
        for handle in handles:
            handle.remove()
