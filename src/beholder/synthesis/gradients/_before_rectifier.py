"""Which value a rectified unit has before its rectifier."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from beholder.activations import parse_layer
from beholder.models import Model, Unit
from beholder.synthesis.gradients._network import Network

_CEILINGS = (None, 6.0)


@final
@dataclass(frozen=True)
class _Place:
    """An input or output of a module's call."""

    path: str
    call: int
    side: str


def find_before_rectifier(model: Model, network: Network, unit: Unit, images: Tensor) -> Unit | None:
    """The unit whose value, rectified, is this unit's; None if there is none or the images do not show it.

    Every module's input and output is compared with the unit's own map, so it does not matter whether the rectifier
    is a module or a function, in place, or followed by a concatenation.

    Parameters
    ----------
    model : Model
    network : Network
        Open for the unit's layer.
    unit : Unit
    images : Tensor, (n_images, *input_shape)
        Prepared stimuli, on the model's device, that wake the unit somewhere.

    Returns
    -------
    Unit or None
        ``layer:in`` where the layer is a rectifier itself, else the nearest module before it.
    """
    with torch.no_grad():
        (view,) = network.run(images, [len(images)], (unit.layer,), {}).views()
        target = view.channel(unit.layer, unit.channel).clone()
    if bool((target < 0).any()) or not bool((target > 0).any()):
        return None
    found: list[tuple[_Place, int]] = []

    def look(place: _Place, value: Any) -> None:
        tensor = next(_iter_tensors(value), None)
        if tensor is not None and len(tensor) == len(images):
            channel = _find_channel(tensor, target)
            if channel is not None:
                found.append((place, channel))

    model = network.copy_model()
    counts: dict[str, int] = {}
    with torch.no_grad(), _look_at_modules(model.module, look, counts):
        model.run(images)
    ref = parse_layer(model.taps.get(unit.layer, unit.layer))
    mine = [each for each in found if each[0] == _Place(ref.path, ref.call or 1, ":in")]
    outputs = [each for each in found if each[0].side == ""]
    for place, channel in (mine or outputs or found)[-1:]:
        call = f"@{place.call}" if counts[place.path] > 1 else ""
        return Unit(place.path + call + place.side, channel)
    return None


@contextlib.contextmanager
def _look_at_modules(module: nn.Module, look: Callable[[_Place, Any], None], counts: dict[str, int]) -> Iterator[None]:
    """Call ``look`` for every input and output of every module in this thread's passes; count their calls."""
    parts = {name: part for name, part in module.named_modules() if name}
    here = threading.get_ident()

    def make_hooks(name: str) -> tuple[Callable[..., None], Callable[..., None]]:
        def see_input(_part: nn.Module, args: tuple[Any, ...]) -> None:
            if threading.get_ident() == here:
                counts[name] = counts.get(name, 0) + 1
                look(_Place(name, counts[name], ":in"), args)

        def see_output(_part: nn.Module, _args: Any, output: Any) -> None:
            if threading.get_ident() == here:
                look(_Place(name, counts[name], ""), output)

        return see_input, see_output

    handles: list[Any] = []
    try:
        for name, part in parts.items():
            see_input, see_output = make_hooks(name)
            handles += [part.register_forward_pre_hook(see_input), part.register_forward_hook(see_output)]
        yield
    finally:
        for handle in handles:
            handle.remove()


def _find_channel(tensor: Tensor, target: Tensor) -> int | None:
    """The channel of a tensor that has values below 0 and is the target once they are rectified."""
    places = tuple(target.shape[1:])
    if tuple(tensor.shape[2:]) == places:
        channels = tensor.movedim(1, 0)
    elif tensor.ndim == target.ndim + 1 and tuple(tensor.shape[1:-1]) == places:
        channels = tensor.movedim(-1, 0)
    else:
        return None
    flat, wanted = channels.flatten(1), target.flatten()
    for ceiling in _CEILINGS:
        same = (flat.clamp(0.0, ceiling) == wanted).all(1) & (flat < 0).any(1)
        if bool(same.any()):
            return int(same.nonzero()[0, 0])
    return None


def _iter_tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _iter_tensors(part)
