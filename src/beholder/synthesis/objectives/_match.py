"""Objectives of metamers: a layer is matched, through its own rectifiers or a part at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.seeds import make_generator
from beholder.synthesis.gradients._rectifiers import (
    EndRectifiers,
    RectifiedTarget,
    make_rectified_target,
    sum_one_sided,
    sum_straight,
)
from beholder.synthesis.gradients._view import View, freeze_array, freeze_target
from beholder.synthesis.objectives._base import OBJECTIVES, Objective

KINDS = ("one-sided", "straight")


@OBJECTIVES.register("MatchRectified")
@final
@dataclass(frozen=True, eq=False)
class MatchRectified(Objective):
    """Minus the distance of a layer from a target, measured at the rectifiers that the layer consists of.

    With ``straight`` minus ``‖a − target‖ / ‖target‖``, as :class:`MatchTarget`, its gradient passing through the
    layer's own rectifiers unchanged, on the branch that is returned only. With ``one-sided`` minus its square, where
    for a positive target the value *before* the rectifier counts: a smooth function with the same zeros.

    Parameters
    ----------
    layer : str
    before : tuple of arrays, (n_images, *features) each
        What goes into each rectifier for the original, :meth:`View.before_rectifiers`.
    rectifiers : EndRectifiers
        As ``Network.find_end_rectifiers`` gives them.
    kind : {"one-sided", "straight"}

    Notes
    -----
    Source of ``straight``: Feather et al. (2023), Methods ("fake ReLU").
    """

    layer: str
    before: Any
    rectifiers: EndRectifiers
    kind: str = "one-sided"
    targets: tuple[RectifiedTarget, ...] = field(init=False, repr=False)
    scale: float = field(init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"a kind: {' or '.join(KINDS)}", got=repr(self.kind))
        before = tuple(freeze_array(each, f"the target at {self.layer}") for each in self.before)
        pairs = zip(before, self.rectifiers.ceilings, strict=True)
        targets = tuple(make_rectified_target(each, ceiling) for each, ceiling in pairs)
        scale = sum(float(target.values.double().square().sum()) for target in targets) / len(before[0])
        if not scale > 0:
            raise InputError(f"a target at {self.layer} to match", got="activations that are all zero")
        object.__setattr__(self, "before", before)
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "scale", scale)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """Minus the distance, or its square."""
        total: Any = 0.0
        for values, target, ceiling in zip(
            view.before_rectifiers(self.layer), self.targets, self.rectifiers.ceilings, strict=True
        ):
            here = _place(view, target)
            total = total + (
                sum_one_sided(values, here) if self.kind == "one-sided" else sum_straight(values, here, ceiling)
            )
        if self.kind == "one-sided":
            return -total / self.scale
        return -(total / self.scale).clamp_min(torch.finfo(total.dtype).tiny).sqrt()


def _place(view: View, target: RectifiedTarget) -> RectifiedTarget:
    high = None if target.high is None else view.constant(target.high)
    return RectifiedTarget(view.constant(target.values), view.constant(target.low), high)


@final
@dataclass(frozen=True)
class CoarseToFine:
    """Filters of slow rates or coarse scales first: a row of channels switched on each ``every`` steps.

    Parameters
    ----------
    rates, scales : tuple of float
        Of each channel, Hz and cycles per ERB; their sign does not matter.
    every : int
        Steps between two admissions.
    bounds : tuple of (rate, scale)
        Step by step, channels with ``|rate| ≤ r`` or ``|scale| ≤ s`` are matched.

    Notes
    -----
    Source: Feather et al. (2023), released code, ``coarse_define_spectemp_inversion_loss_layer``.
    """

    rates: tuple[float, ...]
    scales: tuple[float, ...]
    every: int = 400
    bounds: tuple[tuple[float, float], ...] = (
        (0.0, 0.0), (0.5, 0.0625), (1.0, 0.125), (2.0, 0.25), (4.0, 0.5), (8.0, 1.0), (16.0, 2.0),
    )  # fmt: skip

    def choose(self, step: int, n_channels: int, seed: int, repeat: int) -> np.ndarray:
        """Channels that are matched at a step of a repeat."""
        if len(self.rates) != n_channels or len(self.scales) != n_channels:
            raise InputError(
                f"a rate and a scale for each of {n_channels} channels", got=f"{len(self.rates)}, {len(self.scales)}"
            )
        rate, scale = self.bounds[min(step // self.every, len(self.bounds) - 1)]
        return np.flatnonzero((np.abs(self.rates) <= rate) | (np.abs(self.scales) <= scale))


@final
@dataclass(frozen=True)
class SingleUnitFirst:
    """One random channel, redrawn from time to time, then all.

    Parameters
    ----------
    steps : int
        In which one channel is matched.
    every : int
        Steps between two draws.

    Notes
    -----
    Source: Feather et al. (2023), released code, ``random_single_unit_optimization_inversion_loss_layer``.
    """

    steps: int = 400
    every: int = 50

    def choose(self, step: int, n_channels: int, seed: int, repeat: int) -> np.ndarray:
        """Channels that are matched at a step of a repeat."""
        if step >= self.steps:
            return np.arange(n_channels)
        return make_generator(seed, "single unit", repeat, step // self.every).integers(n_channels, size=1)


@final
@dataclass(frozen=True, eq=False)
class MatchByParts(Objective):
    """Minus ``‖(a − target)_c‖ / ‖target_c‖`` over the channels c that a curriculum chooses at each step.

    It begins anew in each repeat, and is off in the last one. Channels whose target is zero everywhere count as they
    are, with the whole target's norm.

    Parameters
    ----------
    layer : str
    target : array, (n_images, *features)
    curriculum : CoarseToFine or SingleUnitFirst
    steps_per_repeat, n_repeats : int
    seed : int
    channel_axis : int
        Of the features.
    through_rectifier : bool
        As for :class:`MatchTarget`.
    """

    layer: str
    target: Any
    curriculum: CoarseToFine | SingleUnitFirst
    steps_per_repeat: int
    n_repeats: int
    seed: int = 0
    channel_axis: int = 0
    through_rectifier: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", freeze_target(self.target, self.layer))

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        """Minus the distance over the chosen channels."""
        values = view.layer(self.layer, through_rectifier=self.through_rectifier)
        target = view.constant(self.target)
        repeat, step = divmod(view.step, self.steps_per_repeat)
        whole = target.flatten(1).norm(dim=1)
        if repeat < self.n_repeats - 1:
            axis = 1 + self.channel_axis
            chosen = torch.from_numpy(self.curriculum.choose(step, values.shape[axis], self.seed, repeat))
            chosen = chosen.to(values.device)
            values, target = values.index_select(axis, chosen), target.index_select(axis, chosen)
        scale = target.flatten(1).norm(dim=1)
        scale = torch.where(scale > 0, scale, whole)
        return -torch.linalg.vector_norm((values - target).flatten(1), dim=1) / scale
