"""The objectives that come with Beholder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder.synthesis.gradients._view import View, freeze_array, freeze_target
from beholder.synthesis.objectives._base import OBJECTIVES, Objective

_SMALL = 1e-12


@OBJECTIVES.register("Channel")
@final
@dataclass(frozen=True)
class Channel(Objective):
    """Mean activation of a channel over space, time or tokens.

    Parameters
    ----------
    layer : str
    channel : int
    """

    layer: str
    channel: int

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """Mean over positions."""
        return view.channel(self.layer, self.channel).flatten(1).mean(1) if len(view.axes(self.layer)) > 1 else (
            view.channel(self.layer, self.channel)
        )  # fmt: skip


@OBJECTIVES.register("Neuron")
@final
@dataclass(frozen=True)
class Neuron(Objective):
    """Activation of a channel at one position.

    Parameters
    ----------
    layer : str
    channel : int
    position : tuple of int, optional
        Index on each of the other axes, such as ``(row, column)``; default: the middle, ``size // 2``.
    """

    layer: str
    channel: int
    position: tuple[int, ...] | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """Value at the position."""
        values = view.channel(self.layer, self.channel)
        sizes = tuple(values.shape[1:])
        position = tuple(size // 2 for size in sizes) if self.position is None else self.position
        if len(position) != len(sizes) or any(not -n <= i < n for i, n in zip(position, sizes, strict=True)):
            raise InputError(f"a position within {sizes} of {self.layer}", got=str(position))
        return values[(slice(None), *position)]


@OBJECTIVES.register("Direction")
@final
@dataclass(frozen=True, eq=False)
class Direction(Objective):
    """Likeness of the activation vector at each position to a direction, averaged over positions.

    Parameters
    ----------
    layer : str
    vector : array, (n_channels,)
    power : float, optional
        None: the cosine. p: dot product · max(0.1, cosine) ** p.
    """

    layer: str
    vector: Any
    power: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "vector", freeze_array(self.vector, "a direction (n_channels,)", lambda v: v.ndim == 1)
        )

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """Mean over positions of the likeness."""
        values, vector = view.channels(self.layer), view.constant(self.vector)
        if values.shape[1] != len(vector):
            raise InputError(f"a direction of {values.shape[1]} numbers for {self.layer}", got=f"{len(vector)}")
        return _compute_likeness(values, vector[None, :, None], self.power).mean(1)


@OBJECTIVES.register("Layer")
@final
@dataclass(frozen=True)
class Layer(Objective):
    """A whole layer: mean of its squares (DeepDream) or of its values.

    Parameters
    ----------
    layer : str
    kind : {"square", "mean"}
    """

    layer: str
    kind: str = "square"

    def __post_init__(self) -> None:
        if self.kind not in ("square", "mean"):
            raise InputError("a kind: square or mean", got=repr(self.kind))

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """Mean over the layer."""
        values = view.layer(self.layer).flatten(1)
        return values.square().mean(1) if self.kind == "square" else values.mean(1)


@OBJECTIVES.register("Logit")
@final
@dataclass(frozen=True)
class Logit(Objective):
    """An output of the model before the softmax.

    Parameters
    ----------
    index : int
        Which output.
    """

    index: int

    @property
    def layers(self) -> tuple[str, ...]:
        """What the model returns."""
        return ("output",)

    def score(self, view: View) -> Tensor:
        """The output."""
        return view.channel("output", self.index).flatten(1).mean(1) if len(view.axes("output")) > 1 else (
            view.channel("output", self.index)
        )  # fmt: skip


@OBJECTIVES.register("Difference")
@final
@dataclass(frozen=True, eq=False)
class Difference(Objective):
    """Change a layer in the direction from ``baseline`` to ``reference``, and beyond (caricature).

    ``⟨a − baseline, d⟩ · max(0.1, cos) ** power / |d|`` with ``d = reference − baseline``, over the whole layer.

    Parameters
    ----------
    layer : str
    reference : array, (*features)
        Activations of the layer for the stimulus that is exaggerated.
    baseline : array, (*features), optional
        Activations for the other stimulus, or for the average one; None: zero.
    power : float
        How much the angle counts beside the length.
    """

    layer: str
    reference: Any
    baseline: Any = None
    power: float = 1.0

    def __post_init__(self) -> None:
        reference = freeze_array(self.reference, "the reference")
        baseline = torch.zeros(()) if self.baseline is None else freeze_array(self.baseline, "the baseline")
        difference = reference - baseline
        if not float(difference.norm()) > 0:
            raise InputError("a reference that differs from the baseline", got="the same activations")
        object.__setattr__(self, "reference", difference)
        object.__setattr__(self, "baseline", baseline)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """Likeness of the change to the difference."""
        values = view.layer(self.layer)
        difference = _fit(view.constant(self.reference), values, self.layer)
        change = (values - view.constant(self.baseline)).flatten(1)
        return _compute_likeness(change[:, :, None], difference.flatten(1)[:, :, None], self.power).mean(1)


@OBJECTIVES.register("MatchTarget")
@final
@dataclass(frozen=True, eq=False)
class MatchTarget(Objective):
    """Minus the normalised distance of a layer from a target: ``−‖a − target‖ / ‖target‖``.

    0 is a perfect match; ``−20 · log10(loss)`` is its signal-to-noise ratio in decibels.

    Parameters
    ----------
    layer : str
    target : array, (*features) or (n_images, *features)
        Activations to be matched.
    through_rectifier : bool
        Let the gradient pass unchanged through the rectifier that ends the layer, if one does.
    squared : bool
        Square the distance, which suits L-BFGS.

    Notes
    -----
    Source: Feather et al. (2023), "Model metamers reveal divergent invariances", Methods.
    """

    layer: str
    target: Any
    through_rectifier: bool = False
    squared: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", freeze_target(self.target, self.layer))

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """Minus the distance."""
        values = view.layer(self.layer, through_rectifier=self.through_rectifier)
        target = _fit(view.constant(self.target), values, self.layer)
        scale = target.flatten(1).norm(dim=1)
        difference = (values - target).flatten(1)
        if self.squared:
            return -difference.square().sum(1) / scale.square()
        return -torch.linalg.vector_norm(difference, dim=1) / scale


@OBJECTIVES.register("Diversity")
@final
@dataclass(frozen=True)
class Diversity(Objective):
    """Likeness of the images of one problem to each other; subtract it: ``Channel(...) - 10 * Diversity(...)``.

    ``Σ_{j ≠ i} ⟨G_i, G_j⟩`` for image i, G the channels' Gram matrix over positions (not centred) divided by its
    Frobenius norm; the mean over the images is (1/B) Σ_{i ≠ j} ⟨G_i, G_j⟩.

    Parameters
    ----------
    layer : str

    Notes
    -----
    Source: lucid, ``objectives.diversity``; Olah, Mordvintsev and Schubert (2017), "Diversity".
    """

    layer: str

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """Sum over the problem's other images."""
        values = view.channels(self.layer)
        gram = (values @ values.transpose(1, 2)).flatten(1)
        gram = gram / gram.norm(dim=1, keepdim=True).clamp_min(_SMALL)
        return (gram @ gram.T).fill_diagonal_(0.0).sum(1)


@OBJECTIVES.register("TotalVariation")
@final
@dataclass(frozen=True)
class TotalVariation(Objective):
    """Mean squared difference of neighbouring pixels or samples; subtract it for smoother images."""

    @property
    def layers(self) -> tuple[str, ...]:
        """None."""
        return ()

    def score(self, view: View) -> Tensor:
        """Over height and width, or time."""
        images = view.images
        axes = range(2, images.ndim) if images.ndim > 2 else range(1, images.ndim)
        return torch.stack([images.diff(dim=axis).square().flatten(1).mean(1) for axis in axes]).sum(0)


@OBJECTIVES.register("FromFunction")
@final
@dataclass(frozen=True)
class FromFunction(Objective):
    """An objective of a function of your own.

    Parameters
    ----------
    function : callable
        ``function(view) -> scores (n_images,)``, differentiable; image i's score from image i.
    layers : tuple of str
        Layers that it reads, ``view.layer(name)``.
    """

    function: Callable[[View], Tensor]
    layers: tuple[str, ...] = ()  # pyright: ignore[reportIncompatibleMethodOverride]

    def score(self, view: View) -> Tensor:
        """What the function gives."""
        return self.function(view)


def _compute_likeness(values: Tensor, vector: Tensor, power: float | None) -> Tensor:
    dot = (values * vector).sum(1)
    length = torch.linalg.vector_norm(vector, dim=1)
    cosine = dot / (torch.linalg.vector_norm(values, dim=1) * length).clamp_min(_SMALL)
    if power is None:
        return cosine
    return dot / length * cosine.clamp_min(0.1) ** power


def _fit(target: Tensor, values: Tensor, layer: str) -> Tensor:
    if tuple(target.shape) == tuple(values.shape[1:]):
        return target[None]
    if tuple(target.shape) == tuple(values.shape):
        return target
    raise InputError(f"activations of {layer} of shape {tuple(values.shape[1:])}", got=f"shape {tuple(target.shape)}")
