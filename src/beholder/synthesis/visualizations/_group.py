"""The visualisations of a group of units: made without diversity, then with as much of it as they bear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from torch import Tensor

from beholder._core.seeds import derive_seed
from beholder.models import Unit
from beholder.synthesis.objectives._base import Objective, Problem
from beholder.synthesis.objectives._diversity import UnitDiversity
from beholder.synthesis.objectives._units import Channel
from beholder.synthesis.visualizations._bench import Runner, UnitProblem, UnitResult
from beholder.synthesis.visualizations._standing import SIGNS, NaturalDistribution, judge_activation
from beholder.synthesis.visualizations._strengths import Trial, find_bracket, propose_strength

_SHARE_WITHOUT_RECORDING = 0.5


@final
@dataclass(frozen=True)
class VisualizationSpec:
    """What is wanted of each unit and sign.

    Attributes
    ----------
    n_images : int
        The strongest is made without the diversity term, the others with it, at least two together, since one picture
        alone is like no other.
    diversity : float or None
        Factor of the diversity term; 0 for none; None to search for it.
    max_loops : int
        Bisections of the search.
    seed : int
    """

    n_images: int
    diversity: float | None
    max_loops: int
    seed: int


@final
@dataclass(frozen=True, eq=False)
class UnitVisualization:
    """The images of one unit and sign, from weakest to strongest.

    Attributes
    ----------
    unit : Unit
    sign : {"min", "max"}
    images : (n_images, *input_shape), float32
    activations, unrounded : (n_images,), float32
        As saved, and before rounding.
    strengths : (n_images,), float
        Factor of the diversity term that each was made with.
    losses : (n_images, n_steps), float32
    steps : (n_images,), int
    stopped_by : tuple of str
    transparency : (n_images, *input_shape), float32, or None
    plain_weakest : float
        Activation of the weakest image made without diversity.
    trials : tuple of (strength, accepted)
        The search for the strength.
    falls_short : bool
        The weakest image without diversity already missed the yardstick, so that there was no search.
    is_halved : bool
        Made in smaller batches than planned, for lack of memory.
    """

    unit: Unit
    sign: str
    images: np.ndarray
    activations: np.ndarray
    unrounded: np.ndarray
    strengths: np.ndarray
    losses: np.ndarray
    steps: np.ndarray
    stopped_by: tuple[str, ...]
    transparency: np.ndarray | None
    plain_weakest: float
    trials: tuple[Trial, ...]
    falls_short: bool
    is_halved: bool


def visualize_units(
    runner: Runner,
    units: Sequence[Unit],
    naturals: Mapping[Unit, NaturalDistribution | None],
    spec: VisualizationSpec,
    blank: Tensor,
) -> list[UnitVisualization]:
    """Make the images of a group of units; all of them share batches.

    First come all images without the diversity term. Where the weakest of them beats the most extreme natural
    stimulus, the factor of the term is raised as long as the weakest still does. Without natural stimuli the
    yardstick is half-way from a blank stimulus to the strongest image.

    Parameters
    ----------
    bench : Runner
        Open for the set of these units' layers.
    units : sequence of Unit
    naturals : mapping of Unit to Natural or None
    wish : VisualizationSpec
    blank : Tensor, (*input_shape)
        A stimulus without content.

    Returns
    -------
    list of Side
        Min and max of each unit, in their order.
    """
    layers = tuple(dict.fromkeys(unit.layer for unit in units))
    tasks = [_Task(unit, sign, naturals[unit], spec) for unit in units for sign in SIGNS]
    for task, made in zip(tasks, runner.make([task.order(0.0) for task in tasks], layers), strict=True):
        task.plain = made
    adrift = [task for task in tasks if not task.has_natural and task.wants_search]
    if adrift:
        for task, activation in zip(adrift, runner.score([t.unit for t in adrift], blank, layers), strict=True):
            task.blank = activation
    while active := [(task, strength) for task in tasks if (strength := task.propose()) is not None]:
        made = runner.make([task.order(strength) for task, strength in active], layers)
        for (task, strength), each in zip(active, made, strict=True):
            task.take(strength, each)
    return [task.finish() for task in tasks]


@dataclass
class _Task:
    """The state of one unit and sign."""

    unit: Unit
    sign: str
    natural: NaturalDistribution | None
    spec: VisualizationSpec
    plain: UnitResult | None = None
    blank: float = float("nan")
    diverse: UnitResult | None = None
    strength: float = 0.0
    trials: list[Trial] = field(default_factory=list)
    is_halved: bool = False

    @property
    def has_natural(self) -> bool:
        return self.natural is not None and self.natural.is_whole

    @property
    def wants_search(self) -> bool:
        return self.spec.diversity is None and self.spec.n_images > 1

    def order(self, strength: float) -> UnitProblem:
        """A problem without diversity has all images, one with it leaves out the strongest, but has at least two."""
        wanted: Objective = Channel(self.unit.layer, self.unit.channel)
        wanted = wanted if self.sign == "max" else -wanted
        n_images = self.spec.n_images
        if strength > 0:
            wanted = wanted - strength * UnitDiversity(self.unit.layer, self.unit.channel)
            n_images = max(2, n_images - 1)
        seed = derive_seed(self.spec.seed, "units", self.unit.layer, self.unit.channel, self.sign)
        return UnitProblem(Problem(wanted, seed=seed, n_images=n_images), self.unit)

    def propose(self) -> float | None:
        """The next strength to make images with."""
        if self.spec.n_images == 1:
            return None
        if self.spec.diversity is not None:
            return self.spec.diversity if self.spec.diversity > 0 and self.diverse is None else None
        return None if self.falls_short else propose_strength(self.trials, self.spec.max_loops)

    def take(self, strength: float, made: UnitResult) -> None:
        """Keep images if the search allows them, or if nothing is searched."""
        self.is_halved = self.is_halved or made.is_halved
        accepted = not self.wants_search or self._passes(made)
        if self.wants_search:
            self.trials.append((strength, accepted))
        if accepted and strength >= self.strength:
            self.diverse, self.strength = made, strength

    @property
    def falls_short(self) -> bool:
        assert self.plain is not None
        return self.wants_search and not self._passes(self.plain)

    def _passes(self, made: UnitResult) -> bool:
        """Whether the weakest image beats the yardstick."""
        weakest = self._find_weakest(made)
        if self.has_natural:
            return judge_activation(self.natural, weakest, self.sign) == "yes"
        assert self.plain is not None
        strongest = float(np.nanmax(self._rise(self.plain.activations), initial=-np.inf))
        start = float(self._rise(np.array(self.blank)))
        rise = float(self._rise(np.array(weakest)))
        return strongest > start and rise > start + _SHARE_WITHOUT_RECORDING * (strongest - start)

    def _find_weakest(self, made: UnitResult) -> float:
        """The least extreme activation; NaN, which passes nothing, if there is one."""
        activations = made.activations
        return float(activations.min() if self.sign == "max" else activations.max())

    def _rise(self, activations: np.ndarray) -> np.ndarray:
        """Activations, turned so that more is stronger."""
        return activations if self.sign == "max" else -activations

    def finish(self) -> UnitVisualization:
        """The strongest without diversity and the others with it, in order; all without where none was allowed."""
        assert self.plain is not None
        strengths = np.zeros(self.spec.n_images)
        if self.diverse is None:
            parts = [(self.plain, i) for i in range(self.spec.n_images)]
        else:
            best = int(np.argmax(np.nan_to_num(self._rise(self.plain.activations), nan=-np.inf)))
            kept = (
                range(self.spec.n_images - 1) if self.spec.n_images > 2 else [1 - best]
            )  # of other noise than the best
            parts = [*((self.diverse, i) for i in kept), (self.plain, best)]
            strengths[:-1] = self.strength
        rise = np.nan_to_num(self._rise(np.array([made.activations[i] for made, i in parts])), nan=-np.inf)
        order = np.argsort(rise, kind="stable")
        parts = [parts[i] for i in order]
        return UnitVisualization(
            unit=self.unit,
            sign=self.sign,
            images=np.stack([made.images[i] for made, i in parts]),
            activations=np.array([made.activations[i] for made, i in parts], np.float32),
            unrounded=np.array([made.unrounded[i] for made, i in parts], np.float32),
            strengths=strengths[order],
            losses=np.stack([made.losses[i] for made, i in parts]),
            steps=np.array([made.steps for made, _ in parts]),
            stopped_by=tuple(made.stopped_by for made, _ in parts),
            transparency=_stack_transparency(parts),
            plain_weakest=self._find_weakest(self.plain),
            trials=tuple(self.trials),
            falls_short=self.falls_short,
            is_halved=self.is_halved or self.plain.is_halved,
        )


def _stack_transparency(parts: Sequence[tuple[UnitResult, int]]) -> np.ndarray | None:
    found = [made.transparency[i] for made, i in parts if made.transparency is not None]
    return np.stack(found) if found else None


def find_strength(side: UnitVisualization) -> float:
    """The factor of the diversity term that a side was made with; 0 for none."""
    return find_bracket(side.trials)[0] if side.trials else float(side.strengths.max(initial=0.0))
