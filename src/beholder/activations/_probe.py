"""One small pass before the work: which layers run, how often, and what shape they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from beholder._core.errors import InputError
from beholder.activations._axes import name_axes
from beholder.activations._grammar import LayerRef
from beholder.activations._hooks import Tap, find_module, is_whole

Forward = Callable[[Tensor], Any]


@dataclass(frozen=True)
class ProbedLayer:
    """A layer as one pass found it.

    Attributes
    ----------
    name : str
        The layer's name.
    ref : LayerRef
        What it points to.
    shape : tuple of int
        Feature axes of one stimulus, without the batch axis.
    axes : tuple of str
        Their names.
    batch_axis : int
        Where the network keeps the batch; 0 but for sequence-first transformers.
    """

    name: str
    ref: LayerRef
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    batch_axis: int

    def put_batch_first(self, tensor: Tensor) -> Tensor:
        """The layer's tensor with the batch axis in front."""
        return tensor if self.batch_axis == 0 else tensor.movedim(self.batch_axis, 0)


def count_calls(model: nn.Module, refs: Mapping[str, LayerRef], run: Callable[[], Any]) -> dict[str, int]:
    """How often each layer's module is called in one pass."""
    counts: dict[int, int] = {}
    modules = {name: find_module(model, ref) for name, ref in refs.items() if not is_whole(model, ref)}

    def count(module: nn.Module, _args: Any) -> None:
        counts[id(module)] = counts.get(id(module), 0) + 1

    handles = [module.register_forward_pre_hook(count) for module in {id(m): m for m in modules.values()}.values()]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return {name: counts.get(id(modules[name]), 0) if name in modules else 1 for name in refs}


def check_calls(refs: Mapping[str, LayerRef], counts: Mapping[str, int]) -> None:
    """Refuse layers that do not run, and repeated ones that do not say which call they mean."""
    for name, ref in refs.items():
        n_calls = counts[name]
        if n_calls == 0:
            raise InputError(
                "a layer that runs in the model's forward pass", got=f"{name!r}, which does not run",
                hint="beholder layers MODEL to see which layers run",
            )  # fmt: skip
        if ref.call is None and n_calls > 1:
            suffix = name[len(ref.path) :]
            choices = ", ".join(f"{ref.path}@{k}{suffix}" for k in range(1, n_calls + 1))
            raise InputError(
                f"which of the {n_calls} calls of {ref.path!r} to take, counted from 1", got=repr(name), hint=choices
            )
        if ref.call is not None and ref.call > n_calls:
            raise InputError(f"a call of {ref.path!r} from 1 to {n_calls}", got=repr(name))


def probe_layers(
    model: nn.Module, refs: Mapping[str, LayerRef], forward: Forward, example: Tensor
) -> dict[str, ProbedLayer]:
    """Run a model on two copies of an example and read off calls, shapes and batch axes.

    Parameters
    ----------
    model : nn.Module
        The network, in eval mode.
    refs : mapping of str to LayerRef
        The layers asked for.
    forward : callable
        ``forward(batch)`` runs the network.
    example : Tensor, (1, ...)
        One input, on the network's device.

    Raises
    ------
    InputError
        For a layer that does not run, or runs more than once without saying which call is meant.
    """
    for ref in refs.values():
        find_module(model, ref)
    with torch.inference_mode():
        pair = example.expand(2, *example.shape[1:]).contiguous()
        check_calls(refs, count_calls(model, refs, lambda: forward(pair)))
        of_two = _collect_shapes(model, refs, forward, pair)
        unsure = any(shape[:1] != (2,) or shape.count(2) > 1 for shape in of_two.values())
        triple = example.expand(3, *example.shape[1:]).contiguous()
        of_three = _collect_shapes(model, refs, forward, triple) if unsure else {}
    layers = {}
    for name, ref in refs.items():
        shape = of_two[name]
        axis = _find_batch_axis(name, shape, of_three.get(name))
        features = shape[:axis] + shape[axis + 1 :]
        layers[name] = ProbedLayer(name, ref, features, name_axes(features, find_module(model, ref), ref.side), axis)
    return layers


def _collect_shapes(
    model: nn.Module, refs: Mapping[str, LayerRef], forward: Forward, batch: Tensor
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    with (
        Tap(model, refs, gives_output=True) as tap,
        tap.collect(lambda name, t: shapes.__setitem__(name, tuple(t.shape)), stop=True),
    ):
        tap.hand_over(forward(batch))
    return shapes


def _find_batch_axis(name: str, of_two: tuple[int, ...], of_three: tuple[int, ...] | None) -> int:
    if of_three is None:
        return 0
    axes = [i for i, (a, b) in enumerate(zip(of_two, of_three, strict=False)) if (a, b) == (2, 3)]
    if len(of_two) != len(of_three) or not axes:
        raise InputError(
            "a layer with one value set a stimulus",
            got=f"{name!r}, whose shape {of_two} for two stimuli and {of_three} for three shows no batch axis",
        )
    return axes[0]
