"""What operations that only move, repeat or drop values do to axes.

A rule is given a :class:`Call` and returns the axes of what came out, or None where it cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from beholder.models.layers._axis_atoms import (
    PLACES,
    TOKEN,
    Atom,
    Axes,
    Axis,
    find_kind,
    has_stimulus,
    measure,
    reshape,
    resize,
)

Found = Axes | Sequence[Axes | None] | None


@dataclass(frozen=True)
class Call:
    """One operation.

    Attributes
    ----------
    named : mapping of str to object
        Its arguments, by the names of the operation's signature.
    axes : mapping of int to tuple
        Axes of the tensors among them that are followed, by ``id``, as they were before the call.
    shapes : mapping of int to tuple of int
        Shapes of all tensors among them, before the call.
    made : sequence of Tensor
        What came out.
    """

    named: Mapping[str, Any]
    axes: Mapping[int, Axes]
    shapes: Mapping[int, tuple[int, ...]]
    made: Sequence[Tensor]

    def get(self, *names: str) -> Any:
        """The first argument of one of these names."""
        return next((self.named[name] for name in names if name in self.named), None)

    @property
    def first(self) -> Any:
        """The first argument."""
        return next(iter(self.named.values()))

    def find(self, tensor: Any) -> Axes | None:
        """Axes of an argument; None where it is not followed."""
        return self.axes.get(id(tensor)) if isinstance(tensor, Tensor) else None

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        """Shape of an argument before the call."""
        return self.shapes[id(tensor)]

    @property
    def shapes_made(self) -> list[tuple[int, ...]]:
        """Shapes of what came out."""
        return [tuple(tensor.shape) for tensor in self.made]


Rule = Callable[[Call], Found]


def follow_elementwise(call: Call) -> Found:
    """The operands' axes, broadcast; of two that fit, the first whose kind is known."""
    shape = call.shapes_made[0]
    known = [axes for value in call.named.values() if (axes := call.find(value)) is not None]
    for value in call.named.values():
        if isinstance(value, list | tuple):
            known += [axes for part in value if (axes := call.find(part)) is not None]
    return merge(known, shape)


def merge(known: Sequence[Axes], shape: Sequence[int]) -> Axes | None:
    """Axes of a result of this shape, from those of operands aligned at the right."""
    if not known:
        return None
    merged: list[Axis] = []
    for i, size in enumerate(shape):
        place = i - len(shape)
        fitting = [axes[place] for axes in known if -place <= len(axes) and measure(axes[place]) == size]
        best = next((axis for axis in fitting if find_kind(axis) is not None), None)
        merged.append(best or (fitting[0] if fitting else (Atom(size),)))
    return tuple(merged)


def follow_same(call: Call) -> Found:
    """The first argument's axes, whose sizes may have changed."""
    axes = call.find(call.first)
    return None if axes is None else [resize_all(axes, shape) for shape in call.shapes_made]


def resize_all(axes: Axes, shape: Sequence[int]) -> Axes | None:
    if len(axes) != len(shape):
        return None
    return tuple(resize(axis, size) for axis, size in zip(axes, shape, strict=True))


def follow_view(call: Call) -> Found:
    axes = call.find(call.first)
    return None if axes is None else reshape(axes, call.shapes_made[0])


def follow_squeeze(call: Call) -> Found:
    axes = call.find(call.first)
    if axes is None:
        return None
    dim = call.get("dim")
    wanted = range(len(axes)) if dim is None else [d % len(axes) for d in ([dim] if isinstance(dim, int) else dim)]
    return tuple(axis for i, axis in enumerate(axes) if not (i in wanted and measure(axis) == 1))


def follow_unsqueeze(call: Call) -> Found:
    axes = call.find(call.first)
    if axes is None:
        return None
    dim = call.named["dim"] % (len(axes) + 1)
    return (*axes[:dim], (Atom(1),), *axes[dim:])


def follow_permute(call: Call) -> Found:
    axes = call.find(call.first)
    return None if axes is None else tuple(axes[dim] for dim in call.named["dims"])


def follow_transpose(call: Call) -> Found:
    axes = call.find(call.first)
    if axes is None:
        return None
    order = list(range(len(axes)))
    a, b = (call.named["dim0"], call.named["dim1"]) if "dim0" in call.named else (0, 1)
    if len(axes) > 1:
        order[a], order[b] = order[b], order[a]
    return tuple(axes[i] for i in order)


def follow_expand(call: Call) -> Found:
    axes, shape = call.find(call.first), call.shapes_made[0]
    return None if axes is None else merge([axes], shape)


def follow_repeat(call: Call) -> Found:
    axes, shape = call.find(call.first), call.shapes_made[0]
    if axes is None:
        return None
    made: list[Axis] = [(Atom(size),) for size in shape[: len(shape) - len(axes)]]
    for axis, size in zip(axes, shape[len(shape) - len(axes) :], strict=True):
        times = size // max(1, measure(axis))
        made.append(axis if times == 1 else (Atom(times), *axis))
    return tuple(made)


def follow_repeat_interleave(call: Call) -> Found:
    axes, dim = call.find(call.first), call.get("dim")
    if axes is None or dim is None or len(axes) != len(call.shapes_made[0]):
        return None
    dim %= len(axes)
    times = call.shapes_made[0][dim] // max(1, measure(axes[dim]))
    return (*axes[:dim], (*axes[dim], Atom(times)), *axes[dim + 1 :])


def follow_drop(call: Call) -> Found:
    """``select`` and ``unbind``: one axis is taken out."""
    axes = call.find(call.first)
    if axes is None:
        return None
    dim = (call.get("dim") or 0) % len(axes)
    return [(*axes[:dim], *axes[dim + 1 :])] * len(call.made)


def follow_reduce(call: Call) -> Found:
    axes = call.find(call.first)
    if axes is None:
        return None
    dim = call.get("dim", "dims")
    wanted = range(len(axes)) if dim is None or dim == [] else [d % len(axes) for d in _as_list(dim)]
    kept = [resize(axis, 1) if i in wanted else axis for i, axis in enumerate(axes)]
    dropped = [axis for i, axis in enumerate(axes) if i not in wanted]
    return [tuple(kept if len(shape) == len(axes) else dropped) for shape in call.shapes_made]


def _as_list(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def follow_cat(call: Call) -> Found:
    parts = [part for part in call.first if isinstance(part, Tensor)]
    known = [axes for part in parts if (axes := call.find(part)) is not None]
    shape = call.shapes_made[0]
    known = [axes for axes in known if len(axes) == len(shape)]
    if not known:
        return None
    dim = (call.get("dim") or 0) % len(shape)
    joined = [axes[dim] for axes in known]
    merged = merge(known, [measure(known[0][i]) if i == dim else size for i, size in enumerate(shape)])
    assert merged is not None
    return (*merged[:dim], _join(joined, shape[dim], len(parts)), *merged[dim + 1 :])


def _join(joined: Sequence[Axis], size: int, n_parts: int) -> Axis:
    """The axis along which tensors were put one after the other."""
    if any(has_stimulus(axis) for axis in joined):
        each = measure(joined[0])
        return (Atom(n_parts), *joined[0]) if len(joined) == n_parts and each * n_parts == size else (Atom(size),)
    kinds = {kind for axis in joined if (kind := find_kind(axis)) is not None}
    if len(kinds) == 1 and len(joined[0]) == 1:
        return (Atom(size, same=joined[0][0]),) if find_kind(joined[0]) else (Atom(size, kinds.pop()),)
    if not kinds:
        return (Atom(size, same=joined[0][0]),) if len(joined[0]) == 1 else (Atom(size),)
    if len(kinds) == 1:
        return (Atom(size, kinds.pop()),)
    return (Atom(size, TOKEN if kinds <= PLACES else "mixed"),)


def follow_stack(call: Call) -> Found:
    known = [axes for part in call.first if (axes := call.find(part)) is not None]
    if not known:
        return None
    shape = list(call.shapes_made[0])
    dim = (call.get("dim") or 0) % len(shape)
    merged = merge(known, shape[:dim] + shape[dim + 1 :])
    return None if merged is None else (*merged[:dim], (Atom(shape[dim]),), *merged[dim:])
