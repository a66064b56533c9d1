"""What an objective sees: its own problem's images and layers, batch axis in front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from beholder._core.errors import InputError, UnknownNameError
from beholder.models import UNTOLD_AXIS, StimulusAxis, explain_untold
from beholder.synthesis.gradients._rectifiers import pass_straight

Constants = dict[int, tuple[Tensor, Tensor]]


@final
@dataclass
class Captured:
    """What one pass through the network left: per layer the tensor, its axes, and where it came from."""

    images: Tensor
    sizes: Sequence[int]
    tensors: dict[str, Tensor]
    axes: dict[str, tuple[str, ...]]
    nodes: dict[str, Any]
    places: dict[str, StimulusAxis]
    constants: Constants
    before: dict[str, tuple[Tensor, ...]] = field(default_factory=dict)
    step: int = 0
    parts: dict[str, tuple[Tensor, ...]] = field(default_factory=dict)

    def split(self, name: str, tensor: Tensor) -> tuple[Tensor, ...]:
        """The tensor cut into the problems' shares, by one operation for all of them."""
        if name not in self.parts:
            self.parts[name] = (tensor,) if len(self.sizes) == 1 else tensor.split(list(self.sizes))
        return self.parts[name]

    def views(self) -> list[View]:
        """One view a problem."""
        return [View(self, i) for i in range(len(self.sizes))]


@final
class View:
    """What the network computes of one problem's images."""

    def __init__(self, captured: Captured, index: int) -> None:
        self._captured = captured
        self._index = index

    @property
    def images(self) -> Tensor:
        """The images as the network meets them, after the transforms, before ``normalize``: (n_images, ...)."""
        return self._captured.split("", self._captured.images)[self._index]

    @property
    def step(self) -> int:
        """Which evaluation of the problem this is, counted from 0."""
        return self._captured.step

    def before_rectifiers(self, name: str) -> tuple[Tensor, ...]:
        """What goes into the rectifiers that a layer consists of, (n_images, *features) each.

        Only of layers that :meth:`Network.find_end_rectifiers` was asked about.
        """
        found = self._captured.before.get(name)
        if found is None:
            raise InputError(f"a layer whose rectifiers are recorded, for {name!r}", got="none that were found")
        return tuple(self._captured.split(f"{name} {i}", tensor)[self._index] for i, tensor in enumerate(found))

    def layer(self, name: str, *, through_rectifier: bool = False) -> Tensor:
        """Activations of a layer, (n_images, *features).

        Parameters
        ----------
        name : str
            One of the objective's own ``layers``.
        through_rectifier : bool
            Let the gradient pass unchanged through the rectifier that ends the layer, if one does.
        """
        if name not in self._captured.tensors:
            raise UnknownNameError("layer that this objective asked for in its `layers`", name, self._captured.tensors)
        if through_rectifier:
            start = sum(self._captured.sizes[: self._index])
            rows = slice(start, start + self._captured.sizes[self._index])
            pass_straight(self._captured.nodes[name], rows, self._captured.places[name])
        return self._captured.split(name, self._captured.tensors[name])[self._index]

    def axes(self, name: str) -> tuple[str, ...]:
        """Names of a layer's feature axes, such as ``("channel", "height", "width")``."""
        return self._captured.axes[name]

    def channel(self, name: str, index: int) -> Tensor:
        """One channel of a layer, (n_images, *other axes)."""
        values, axis = self.layer(name), self._find_channel_axis(name)
        if not -values.shape[axis] <= index < values.shape[axis]:
            raise InputError(f"a channel of {name} from 0 to {values.shape[axis] - 1}", got=str(index))
        return values.select(axis, index)

    def channels(self, name: str) -> Tensor:
        """A layer with its channels second and all positions in one axis, (n_images, n_channels, n_positions)."""
        values = self.layer(name).movedim(self._find_channel_axis(name), 1)
        return values.flatten(2) if values.ndim > 2 else values.unsqueeze(2)

    def constant(self, tensor: Tensor) -> Tensor:
        """A tensor that the objective holds, on the network's device; moved there once."""
        kept = self._captured.constants.get(id(tensor))
        if kept is None:
            kept = self._captured.constants[id(tensor)] = (tensor, tensor.to(self._captured.images.device))
        return kept[1]

    def _find_channel_axis(self, name: str) -> int:
        axes = self.axes(name)
        if "channel" not in axes and any(axis.startswith(UNTOLD_AXIS) for axis in axes):
            raise explain_untold(name, axes, self.layer(name).shape[1:])
        if "channel" not in axes:
            raise InputError("a layer with channels", got=f"{name}, whose axes are {', '.join(axes) or 'none'}")
        return 1 + axes.index("channel")


def freeze_target(target: Any, layer: str) -> Tensor:
    """Activations to be matched as :func:`freeze_array` holds them; all zero they have no distance."""
    tensor = freeze_array(target, f"the target at {layer}")
    if not float(tensor.norm()) > 0:
        raise InputError(f"a target at {layer} to match", got="activations that are all zero")
    return tensor


def freeze_array(value: Any, what: str, check: Callable[[Tensor], bool] = lambda _: True) -> Tensor:
    """A float32 copy of an array on the CPU, for objectives to hold."""
    tensor = value.detach().cpu().float().clone() if isinstance(value, Tensor) else torch.tensor(value).float()
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(f"finite numbers in {what}", got="NaN or infinity")
    if not check(tensor):
        raise InputError(what, got=f"shape {tuple(tensor.shape)}")
    return tensor
