"""One unit and sign on the way: what is tried next, what is kept, what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from beholder._core.seeds import derive_seed
from beholder.models import Unit
from beholder.synthesis.engine._session import ProblemResult
from beholder.synthesis.objectives._base import Objective, Problem
from beholder.synthesis.objectives._diversity import UnitDiversity
from beholder.synthesis.objectives._of_units import USUAL, make_unit_objective
from beholder.synthesis.objectives._units import Channel
from beholder.synthesis.visualizations._plan import VisualizationOptions
from beholder.synthesis.visualizations._search import Trial, find_bracket, propose_strength
from beholder.synthesis.visualizations._standing import NaturalDistribution, judge_activation
from beholder.synthesis.visualizations._steer import steer_objective

_SHARE_WITHOUT_RECORDING = 0.5
STEERED = float("nan")
"""In place of a strength: no one number, since it follows each image's activation."""


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
        Factor of the diversity term that each was made with; NaN where it was steered.
    losses : (n_images, n_steps), float32
    steps : (n_images,), int
    stopped_by : tuple of str
    transparency : (n_images, *input_shape), float32, or None
    plain_weakest : float
        Activation of the weakest image made without diversity.
    trials : tuple of (strength, accepted)
        The search for the strength.
    falls_short : bool
        The weakest image without diversity already missed the yardstick, so that none was made with it.
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


@final
@dataclass
class UnitSide:
    """How far one unit and sign are.

    Attributes
    ----------
    plain : ProblemResult or None
        Images made without the term.
    blank : float
        Activation by a stimulus without content, where there is no recording.
    diverse : ProblemResult or None
        Images made with the term, the best so far.
    """

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
        """Whether there is a whole recording to compare with."""
        return self.natural is not None and self.natural.is_whole

    @property
    def wants_yardstick(self) -> bool:
        """Whether images made with the term are held to one."""
        return self.options.diversity is None and self.options.n_images > 1

    @property
    def _turn(self) -> int:
        return 1 if self.sign == "max" else -1

    def pose(self, strength: float) -> Problem:
        """A problem without diversity has all images, one with it leaves out the strongest, but has at least two."""
        objective = make_unit_objective(self.options.objective, self.unit)
        wanted: Objective = objective if self.sign == "max" else -objective
        n_images = self.options.n_images
        if strength != 0:
            wanted = self._add_diversity(wanted, strength)
            n_images = max(2, n_images - 1)
        seed = derive_seed(self.options.seed, "units", self.unit.layer, self.unit.channel, self.sign)
        return Problem(wanted, seed=seed, n_images=n_images)

    def _add_diversity(self, wanted: Objective, strength: float) -> Objective:
        if not np.isnan(strength):
            return wanted - strength * UnitDiversity(self.unit.layer, self.unit.channel)
        assert self.plain is not None
        is_activation = self.options.objective == USUAL
        yardstick = self._find_yardstick()
        return steer_objective(wanted, self.unit, self._turn, yardstick, self.plain, is_activation=is_activation)

    def propose(self) -> float | None:
        """The next strength to make images with, :data:`STEERED` for one that follows the activation."""
        if self.options.n_images == 1:
            return None
        if self.options.diversity is not None:
            return self.options.diversity if self.options.diversity > 0 and self.diverse is None else None
        if self.falls_short:
            return None
        if self.options.recipe == "steered":
            return STEERED if self.diverse is None else None
        assert self.options.max_loops is not None
        return propose_strength(self.trials, self.options.max_loops)

    def take(self, strength: float, made: ProblemResult) -> None:
        """Keep images if the search allows them, or if nothing is searched."""
        self.is_halved = self.is_halved or made.is_halved
        is_searched = self.wants_yardstick and not np.isnan(strength)
        accepted = not is_searched or self._passes(self._find_weakest(made))
        if is_searched:
            self.trials.append((strength, accepted))
        if accepted and not strength < self.strength:
            self.diverse, self.strength = made, strength

    @property
    def falls_short(self) -> bool:
        """Whether images made without the term already miss the yardstick."""
        assert self.plain is not None
        return self.wants_yardstick and not self._passes(self._find_weakest(self.plain))

    def _passes(self, activation: float) -> bool:
        """Whether an activation beats the yardstick."""
        if self.has_natural:
            return judge_activation(self.natural, activation, self.sign) == "yes"
        strongest, start = self._find_strongest(), self._turn * self.blank
        return strongest > start and self._turn * activation > self._find_yardstick()

    def _find_yardstick(self) -> float:
        """The activation to beat, turned so that more is stronger."""
        if self.has_natural:
            assert self.natural is not None
            return self._turn * self.natural.find_extreme(self.sign)
        start = self._turn * self.blank
        return start + _SHARE_WITHOUT_RECORDING * (self._find_strongest() - start)

    def _find_strongest(self) -> float:
        assert self.plain is not None
        return float(np.nanmax(self._rise(self.plain.saved_scores), initial=-np.inf))

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
        parts = self._pick()
        rise = np.nan_to_num(self._rise(np.array([made.saved_scores[i] for made, i in parts])), nan=-np.inf)
        order = np.argsort(rise, kind="stable")
        parts = [parts[i] for i in order]
        return UnitVisualization(
            unit=self.unit,
            sign=self.sign,
            images=np.stack([made.images[i] for made, i in parts]),
            activations=np.array([made.saved_scores[i] for made, i in parts], np.float32),
            unrounded=np.array([made.scores[i] for made, i in parts], np.float32),
            strengths=np.array([0.0 if made is self.plain else self.strength for made, _ in parts]),
            losses=np.stack([made.losses[i] for made, i in parts]),
            steps=np.array([made.steps for made, _ in parts]),
            stopped_by=tuple(made.stopped_by for made, _ in parts),
            transparency=_stack_transparency(parts),
            plain_weakest=self._find_weakest(self.plain),
            trials=tuple(self.trials),
            falls_short=self.falls_short,
            is_halved=self.is_halved or self.plain.is_halved,
        )

    def _pick(self) -> list[tuple[ProblemResult, int]]:
        """Images that are kept, each by its problem and its place there."""
        assert self.plain is not None
        plain, n_images = self.plain, self.options.n_images
        if self.diverse is None:
            return [(plain, i) for i in range(n_images)]
        best = int(np.argmax(np.nan_to_num(self._rise(plain.saved_scores), nan=-np.inf)))
        kept = list(range(n_images - 1)) if n_images > 2 else [1 - best]  # of other noise than the best
        diverse = self.diverse
        if not np.isnan(self.strength):
            return [*((diverse, i) for i in kept), (plain, best)]
        fine = [(diverse, i) for i in kept if self._passes(float(diverse.saved_scores[i]))]
        others = [(plain, i) for i in range(n_images) if i != best]
        return [*fine, *others[: len(kept) - len(fine)], (plain, best)]


def _stack_transparency(parts: Sequence[tuple[ProblemResult, int]]) -> np.ndarray | None:
    found = [made.transparency[i] for made, i in parts if made.transparency is not None]
    return np.stack(found) if found else None


def find_strength(side: UnitVisualization) -> float:
    """The factor of the diversity term that a side was made with; 0 for none, NaN where it was steered."""
    return find_bracket(side.trials)[0] if side.trials else float(side.strengths.max(initial=0.0))
