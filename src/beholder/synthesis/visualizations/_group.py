"""The visualisations of a group of units: made without diversity, then with as much of it as they bear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch

from beholder._core.seeds import derive_seed
from beholder.models import Unit
from beholder.synthesis.engine._loop import Advance, Recipe
from beholder.synthesis.engine._plan import plan_batches
from beholder.synthesis.engine._session import ProblemResult, SynthesisSession
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.objectives._base import Objective, Problem
from beholder.synthesis.objectives._diversity import UnitDiversity
from beholder.synthesis.objectives._of_units import make_unit_objective
from beholder.synthesis.objectives._units import Channel
from beholder.synthesis.visualizations._plan import VisualizationOptions
from beholder.synthesis.visualizations._standing import SIGNS, NaturalDistribution, judge_activation

_SHARE_WITHOUT_RECORDING = 0.5
POWERS = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)

Trial = tuple[float, bool]
"""A strength, and whether its weakest image still beat the yardstick."""


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
    session: SynthesisSession,
    units: Sequence[Unit],
    naturals: Mapping[Unit, NaturalDistribution | None],
    recipe: Recipe,
    options: VisualizationOptions,
    batch_size: int | None,
    advance: Advance = lambda _n: None,
) -> list[UnitVisualization]:
    """Make the images of a group of units; all of them share batches.

    First come all images without the diversity term. Where the weakest of them beats the most extreme natural
    stimulus, the factor of the term is raised as long as the weakest still does. Without natural stimuli the
    yardstick is half-way from a blank stimulus to the strongest image.

    Parameters
    ----------
    session : SynthesisSession
        With the units' layers.
    units : sequence of Unit
    naturals : mapping of Unit to NaturalDistribution or None
    recipe : Recipe
    options : VisualizationOptions
    batch_size : int or None
        Images in one batch; fewer are filled up, a larger problem is a batch of its own. None: so is every problem.
    advance : callable
        Is told how many steps of images are done, of :func:`count_most_steps` at most.

    Returns
    -------
    list of UnitVisualization
        Min and max of each unit, in their order.
    """
    layers = tuple(dict.fromkeys(unit.layer for unit in units))
    form = StimulusFormat.of_model(session.model, session.shape)
    states = [_UnitState(unit, sign, naturals[unit], options) for unit in units for sign in SIGNS]

    def make(asked: Sequence[tuple[_UnitState, float]]) -> list[ProblemResult]:
        """What comes out of one problem depends on the others in the last bits at most."""
        problems = [state.pose(strength) for state, strength in asked]
        sizes = [problem.n_images for problem in problems]
        plan = plan_batches(sizes, [layers] * len(sizes), cores=1, on_cpu=False, batch_size=batch_size or 1)

        def run(batch: Sequence[int]) -> list[ProblemResult]:
            return session.run(
                [problems[i] for i in batch], recipe, layers=layers, yardsticks=[asked[i][0].channel for i in batch],
                form=form, fill_to=batch_size or 0, ways="fewer --n_images or --device cpu", advance=advance,
                wanted=[f"{sizes[i]} images of {asked[i][0].unit}" for i in batch],
            )  # fmt: skip

        return plan.sort(session.share(run, plan.batches))

    for state, made in zip(states, make([(state, 0.0) for state in states]), strict=True):
        state.plain = made
    adrift = [state for state in states if not state.has_natural and state.wants_search]
    if adrift:
        _score_blank(session, adrift, recipe, layers)
    while active := [(state, strength) for state in states if (strength := state.propose()) is not None]:
        for (state, strength), made in zip(active, make(active), strict=True):
            state.take(strength, made)
    return [state.finish() for state in states]


def count_most_steps(n_units: int, options: VisualizationOptions) -> int:
    """Steps of images at most: plainly, and with every strength that the search may try.

    >>> count_most_steps(1, VisualizationOptions(n_images=10, steps=64, diversity=0.0))
    1280
    """
    n_rounds = 1 + (len(POWERS) + options.max_loops if options.diversity is None else options.diversity > 0)
    return n_units * len(SIGNS) * options.n_images * options.steps * n_rounds


def _score_blank(
    session: SynthesisSession, states: Sequence[_UnitState], recipe: Recipe, layers: Sequence[str]
) -> None:
    """Activations by a stimulus without content."""
    blank = torch.full(recipe.input_shape, sum(recipe.value_range or (0.0, 0.0)) / 2)
    with torch.no_grad():
        (view,) = session.network.run(blank[None].to(session.network.device), [1], layers, {}).views()
        for state in states:
            state.blank = float(state.channel.score(view)[0])


@dataclass
class _UnitState:
    """How far one unit and sign are."""

    unit: Unit
    sign: str
    natural: NaturalDistribution | None
    options: VisualizationOptions
    plain: ProblemResult | None = None
    blank: float = float("nan")
    diverse: ProblemResult | None = None
    strength: float = 0.0
    trials: list[Trial] = field(default_factory=list)
    is_halved: bool = False

    @property
    def channel(self) -> Channel:
        """The activation that counts."""
        return Channel(self.unit.layer, self.unit.channel)

    @property
    def has_natural(self) -> bool:
        return self.natural is not None and self.natural.is_whole

    @property
    def wants_search(self) -> bool:
        return self.options.diversity is None and self.options.n_images > 1

    def pose(self, strength: float) -> Problem:
        """A problem without diversity has all images, one with it leaves out the strongest, but has at least two."""
        objective = make_unit_objective(self.options.objective, self.unit)
        wanted: Objective = objective if self.sign == "max" else -objective
        n_images = self.options.n_images
        if strength > 0:
            wanted = wanted - strength * UnitDiversity(self.unit.layer, self.unit.channel)
            n_images = max(2, n_images - 1)
        seed = derive_seed(self.options.seed, "units", self.unit.layer, self.unit.channel, self.sign)
        return Problem(wanted, seed=seed, n_images=n_images)

    def propose(self) -> float | None:
        """The next strength to make images with."""
        if self.options.n_images == 1:
            return None
        if self.options.diversity is not None:
            return self.options.diversity if self.options.diversity > 0 and self.diverse is None else None
        return None if self.falls_short else propose_strength(self.trials, self.options.max_loops)

    def take(self, strength: float, made: ProblemResult) -> None:
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

    def _passes(self, made: ProblemResult) -> bool:
        """Whether the weakest image beats the yardstick."""
        weakest = self._find_weakest(made)
        if self.has_natural:
            return judge_activation(self.natural, weakest, self.sign) == "yes"
        assert self.plain is not None
        strongest = float(np.nanmax(self._rise(self.plain.saved_scores), initial=-np.inf))
        start = float(self._rise(np.array(self.blank)))
        rise = float(self._rise(np.array(weakest)))
        return strongest > start and rise > start + _SHARE_WITHOUT_RECORDING * (strongest - start)

    def _find_weakest(self, made: ProblemResult) -> float:
        """The least extreme activation; NaN, which passes nothing, if there is one."""
        activations = made.saved_scores
        return float(activations.min() if self.sign == "max" else activations.max())

    def _rise(self, activations: np.ndarray) -> np.ndarray:
        """Activations, turned so that more is stronger."""
        return activations if self.sign == "max" else -activations

    def finish(self) -> UnitVisualization:
        """The strongest without diversity and the others with it, in order; all without where none was allowed."""
        assert self.plain is not None
        strengths = np.zeros(self.options.n_images)
        if self.diverse is None:
            parts = [(self.plain, i) for i in range(self.options.n_images)]
        else:
            best = int(np.argmax(np.nan_to_num(self._rise(self.plain.saved_scores), nan=-np.inf)))
            kept = (
                range(self.options.n_images - 1) if self.options.n_images > 2 else [1 - best]
            )  # of other noise than the best
            parts = [*((self.diverse, i) for i in kept), (self.plain, best)]
            strengths[:-1] = self.strength
        rise = np.nan_to_num(self._rise(np.array([made.saved_scores[i] for made, i in parts])), nan=-np.inf)
        order = np.argsort(rise, kind="stable")
        parts = [parts[i] for i in order]
        return UnitVisualization(
            unit=self.unit,
            sign=self.sign,
            images=np.stack([made.images[i] for made, i in parts]),
            activations=np.array([made.saved_scores[i] for made, i in parts], np.float32),
            unrounded=np.array([made.scores[i] for made, i in parts], np.float32),
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


def _stack_transparency(parts: Sequence[tuple[ProblemResult, int]]) -> np.ndarray | None:
    found = [made.transparency[i] for made, i in parts if made.transparency is not None]
    return np.stack(found) if found else None


def find_strength(side: UnitVisualization) -> float:
    """The factor of the diversity term that a side was made with; 0 for none."""
    return find_bracket(side.trials)[0] if side.trials else float(side.strengths.max(initial=0.0))


def propose_strength(trials: Sequence[Trial], max_loops: int) -> float | None:
    """The next strength to try: powers of ten until one fails, then bisections; None when the search is over.

    Parameters
    ----------
    trials : sequence of (strength, accepted)
        What was tried, in order, each as this function proposed it.
    max_loops : int
        Bisections between the strongest that was accepted, or 0, and the first power that was not.

    Notes
    -----
    Source: Zimmermann et al. 2023, "Scale alone does not improve mechanistic interpretability in vision models",
    released code (``get_diverse_optimized_stimuli``).

    Examples
    --------
    >>> propose_strength([], 2), propose_strength([(1.0, True)], 2)
    (1.0, 10.0)
    >>> propose_strength([(1.0, True), (10.0, False)], 2)
    5.5
    >>> propose_strength([(1.0, True), (10.0, False), (5.5, True)], 2)
    7.75
    """
    failed = [i for i, (_, accepted) in enumerate(trials) if not accepted]
    if not failed:
        return POWERS[len(trials)] if len(trials) < len(POWERS) else None
    first = failed[0]
    if len(trials) - first - 1 >= max_loops:
        return None
    low, high = find_bracket(trials)
    return (low + high) / 2


def find_bracket(trials: Sequence[Trial]) -> tuple[float, float]:
    """The strongest that was accepted, or 0, and the weakest that was not, or infinity."""
    accepted = [strength for strength, fine in trials if fine]
    refused = [strength for strength, fine in trials if not fine]
    return max(accepted, default=0.0), min(refused, default=float("inf"))
