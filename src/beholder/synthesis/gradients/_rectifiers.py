"""The rectifiers that end a layer: which calls of a pass they are, what goes into them, a gradient straight through."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from beholder.models import StimulusAxis

_RELU = {F.relu, torch.relu, Tensor.relu, torch.relu_, Tensor.relu_, F.relu_}
_RELU6 = {F.relu6}
_HARDTANH = {F.hardtanh, F.hardtanh_}
_IN_PLACE = {torch.relu_, Tensor.relu_, F.relu_, F.hardtanh_}
_RECTIFIERS = ("ReluBackward", "HardtanhBackward")
_KEEP_VALUES = ("Cat", "View", "Reshape", "ReshapeAlias", "UnsafeView", "Clone", "Alias", "Permute", "Transpose")
_KEEP_VALUES += ("T", "Squeeze", "Unsqueeze", "Copy", "AsStrided", "ToCopy")


def read_rectifier_call(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Tensor, float | None, bool] | None:
    """Input, ceiling and whether in place of a call of a rectifier; None for any other function."""
    if func in _RELU or func in _RELU6:
        ceiling, flag_at = (None if func in _RELU else 6.0), 1
    elif func in _HARDTANH:
        bounds = {"min_val": -1.0, "max_val": 1.0}
        bounds |= dict(zip(bounds, args[1:3], strict=False)) | {k: kwargs[k] for k in bounds if k in kwargs}
        if bounds["min_val"] != 0:
            return None
        ceiling, flag_at = float(bounds["max_val"]), 3
    else:
        return None
    x = args[0] if args else kwargs["input"]
    in_place = func in _IN_PLACE or bool(kwargs.get("inplace", args[flag_at] if len(args) > flag_at else False))
    return x, ceiling, in_place


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


@final
@dataclass(frozen=True)
class EndRectifiers:
    """The rectifiers whose outputs, put side by side, are a layer.

    Attributes
    ----------
    calls : tuple of int
        Which of the pass's calls of a ReLU or ReLU6, counted from 0.
    ceilings : tuple of float or None
        6 for ReLU6.
    """

    calls: tuple[int, ...]
    ceilings: tuple[float | None, ...]

    def __len__(self) -> int:
        return len(self.calls)


@final
class RecordRectifiers(TorchFunctionMode):
    """Within the block, copies of what goes into some of the rectifiers that this thread calls.

    Modules and functions, in place or not; the model is not touched, and nothing is left when the block ends.

    Parameters
    ----------
    wanted : collection of int, optional
        Calls to copy the input of; None notes all calls' autograd nodes instead.
    """

    def __init__(self, wanted: Collection[int] | None = None) -> None:
        super().__init__()
        self._wanted = wanted
        self._count = 0
        self.inputs: dict[int, Tensor] = {}
        self.nodes: dict[int, Any] = {}
        self.sizes: dict[int, int] = {}
        self.ceilings: dict[int, float | None] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function; look at the rectifiers among them."""
        kwargs = kwargs or {}
        call = read_rectifier_call(func, args, kwargs)
        if call is None:
            return func(*args, **kwargs)
        place, self._count = self._count, self._count + 1
        if self._wanted is not None and place in self._wanted:
            self.inputs[place] = call[0].clone()  # in place here, or overwritten later
        output = func(*args, **kwargs)
        if self._wanted is None:
            self.nodes[place], self.sizes[place], self.ceilings[place] = output.grad_fn, output.numel(), call[1]
        return output


def match_rectifiers(record: RecordRectifiers, values: Tensor) -> EndRectifiers | None:
    """The rectifiers that make up a layer's tensor; None where something else is in it too.

    Parameters
    ----------
    record : RecordRectifiers
        Of the pass that made the tensor, with gradients on.
    values : Tensor
        The layer, as the network made it.
    """
    ends = find_rectifiers(values.grad_fn)
    calls = [place for place, node in record.nodes.items() if any(node is end for end in ends)]
    if not calls or len(calls) != len(ends) or sum(record.sizes[place] for place in calls) != values.numel():
        return None
    return EndRectifiers(tuple(calls), tuple(record.ceilings[place] for place in calls))


@final
class _Distance(torch.autograd.Function):
    """Squared distance, summed over an item, of rectified values from targets; see :func:`sum_one_sided`."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, targets: Tensor, low: Tensor, high: Tensor | None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        rest = torch.maximum(values, low)
        if high is not None:
            rest = torch.minimum(rest, high)
        rest -= targets
        ctx.save_for_backward(rest)
        return _square(rest)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (rest,) = ctx.saved_tensors
        return rest * (2 * grad).view(-1, *(1,) * (rest.ndim - 1)), None, None, None


def _square(rest: Tensor) -> Tensor:
    return torch.stack([torch.linalg.vector_norm(row) for row in rest]).square()


@final
@dataclass(frozen=True)
class RectifiedTarget:
    """What a rectifier should give, and between which bounds its input counts.

    Attributes
    ----------
    values : Tensor, (n_images, *features)
        The rectifier's output for the original.
    low : Tensor
        0 where the target is 0, else minus infinity.
    high : Tensor or None
        The ceiling where the target is at it, else infinity.
    """

    values: Tensor
    low: Tensor
    high: Tensor | None


def make_rectified_target(before: Tensor, ceiling: float | None) -> RectifiedTarget:
    """From a rectifier's input for the original, (n_images, *features)."""
    values = before.clamp(0.0, ceiling)
    low = torch.where(values <= 0, 0.0, -torch.inf)
    high = None if ceiling is None else torch.where(values >= ceiling, ceiling, torch.inf)
    return RectifiedTarget(values, low.to(values), None if high is None else high.to(values))


def sum_one_sided(before: Tensor, target: RectifiedTarget) -> Tensor:
    """Σ r², r = before − target; 0 where both are on the rectifier's flat side: (n_images,).

    Equal to the squared distance after the rectifier, except where the target is positive and the input is not: there
    the distance goes on growing, so that the gradient leads back.
    """
    return _Distance.apply(before, target.values, target.low, target.high)


@final
class _Straight(torch.autograd.Function):
    """Squared distance of rectified values from targets, its gradient straight through the rectifier."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, targets: Tensor, ceiling: float | None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        rest = values.clamp(0.0, ceiling)
        rest -= targets
        ctx.save_for_backward(rest)
        return _square(rest)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (rest,) = ctx.saved_tensors
        return rest * (2 * grad).view(-1, *(1,) * (rest.ndim - 1)), None, None


def sum_straight(before: Tensor, target: RectifiedTarget, ceiling: float | None) -> Tensor:
    """Squared distance after the rectifier, (n_images,); the gradient passes the rectifier unchanged."""
    return _Straight.apply(before, target.values, ceiling)
