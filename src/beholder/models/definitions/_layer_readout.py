"""Answers that a linear read-out of one layer gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, suggest_keywords

if TYPE_CHECKING:
    from torch import Tensor, nn

READOUT = "readout"
"""Name of the child that holds the read-out."""


@suggest_keywords
def pool_activations(values: Tensor, axes: tuple[str, ...], pool: str) -> Tensor:
    """Reduce activations to one value a channel.

    Parameters
    ----------
    values : Tensor, (n, *features)
        Activations, batch first.
    axes : tuple of str
        Names of the feature axes.
    pool : {"none", "mean", "max", "cls", "center"}
        ``mean``, ``max``: over space, time or tokens (the class token included); ``cls``: the first
        token; ``center``: the unit in the middle of the map, at ``size // 2``.

    Returns
    -------
    Tensor, (n, n_channels)
        Or ``values`` themselves for ``none`` and for layers without space, time or tokens.
    """
    if pool == "none" or "channel" not in axes or len(axes) == 1:
        return values
    if pool == "cls":
        if "token" not in axes:
            raise InputError("a layer with tokens for --pool cls", got=f"axes {', '.join(axes)}", hint="--pool mean")
        values = values.select(1 + axes.index("token"), 0)
        axes = tuple(axis for axis in axes if axis != "token")
        return pool_activations(values, axes, "mean")
    values = values.movedim(1 + axes.index("channel"), 1)
    if pool == "center":
        for size in reversed(values.shape[2:]):
            values = values.select(-1, size // 2)
        return values
    values = values.flatten(2)
    return values.mean(2) if pool == "mean" else values.amax(2)


@final
@dataclass(frozen=True)
class LayerReadout:
    """``forward`` of a network whose child ``readout`` answers from one layer; the rest of the network runs as it did.

    Parameters
    ----------
    embed : callable
        ``embed(module, x)``: the network's own pass.
    path : str
        Of the layer's module; empty for what the network returns.
    call : int or None
        Which call of it, counted from 1.
    side : {"out", "in"}
        Its output or its first input.
    stimulus_axis : int
        Where the stimuli are.
    pool : str
        As for :func:`pool_activations`.
    axes : tuple of str
        Names of the feature axes.
    """

    embed: Callable[[nn.Module, Tensor], Any]
    path: str
    call: int | None
    side: str
    stimulus_axis: int
    pool: str
    axes: tuple[str, ...]

    def __identity__(self) -> list[Any]:
        """What it is, for :func:`~beholder.models.identify_model`."""
        return [self.embed, self.path, self.call, self.side, self.stimulus_axis, self.pool, list(self.axes)]

    def __call__(self, module: nn.Module, x: Tensor) -> Tensor:
        """Normalised stimuli to logits (n_stimuli, n_classes)."""
        seen: list[Any] = []
        if not self.path:
            seen.append(self._reduce(self.embed(module, x)))
        else:
            handles = self._watch(module.get_submodule(self.path), seen)
            try:
                self.embed(module, x)
            finally:
                for handle in handles:
                    handle.remove()
        if not seen or seen[-1] is None:
            raise InputError(
                f"a network in which {self.path!r} runs", got=f"{type(module).__name__}, where it does not"
            )
        linear: Any = module.get_submodule(READOUT)
        if seen[-1].shape[1] != linear.in_features:
            raise InputError(
                f"stimuli of a size that gives {linear.in_features} features at {self.path or 'the output'}",
                got=f"{seen[-1].shape[1]}", hint="the size that the read-out was fitted with",
            )  # fmt: skip
        return linear(seen[-1])

    def _watch(self, part: nn.Module, seen: list[Any]) -> list[Any]:
        n_calls = [0]

        def take(value: Any) -> None:
            n_calls[0] += 1
            if n_calls[0] == (self.call or 1):
                seen.append(self._reduce(value))

        if self.side == "in":
            return [part.register_forward_pre_hook(lambda _module, args: take(args))]
        return [part.register_forward_hook(lambda _module, _args, output: take(output))]

    def _reduce(self, value: Any) -> Tensor:
        """Rows of features, before a later operation writes to them."""
        while isinstance(value, (tuple, list, Mapping)):
            value = next(iter(value.values() if isinstance(value, Mapping) else value))
        rows = value.movedim(self.stimulus_axis, 0).clone()
        return pool_activations(rows, self.axes, self.pool).flatten(1)


def read_layer_readout(readout: Mapping[str, Any], embed: Callable[[nn.Module, Tensor], Any]) -> LayerReadout:
    """The forward pass that a card describes."""
    return LayerReadout(
        embed, str(readout["path"]), readout["call"], str(readout["side"]), int(readout["stimulus_axis"]),
        str(readout["pool"]), tuple(readout["axes"]),
    )  # fmt: skip


def add_readout(module: nn.Module, n_features: int, n_classes: int) -> None:
    """Give a network the child that reads it out.

    Raises
    ------
    InputError
        It has one of this name.
    """
    from torch import nn

    if hasattr(module, READOUT):
        raise InputError(f"a network without a part called {READOUT!r}", got=type(module).__name__)
    module.add_module(READOUT, nn.Linear(n_features, n_classes))
