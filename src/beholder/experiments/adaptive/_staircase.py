"""Which level comes next: constant stimuli, staircases and QUEST+. The state is the log of answers, replayed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.experiments.adaptive._procedure import METHODS, AdaptiveProcedure, Answer, Estimate
from beholder.experiments.settings._fields import to_plain

if TYPE_CHECKING:
    from beholder.experiments.settings._settings import Adaptive


@METHODS.register("constant")
@final
class ConstantStimuli(AdaptiveProcedure):
    """Every level equally often, in an order drawn block by block; ends when all are shown."""

    @final
    @dataclass(frozen=True)
    class Parameters:
        """``levels``, hardest first; ``n_per_level``; ``seed`` of the order; ``target`` of the estimate."""

        levels: tuple[float, ...]
        n_per_level: int = 10
        seed: int = DEFAULT_SEED
        target: float = 0.75

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters.levels)
        self.parameters = parameters
        if parameters.n_per_level < 1:
            raise InputError("n_per_level of 1 or more", got=str(parameters.n_per_level))

    @staticmethod
    def plan(adaptive: Adaptive, levels: tuple[float, ...]) -> Mapping[str, Any]:
        """See :meth:`AdaptiveProcedure.plan`: of experiments, constant stimuli are conditions."""
        raise InputError("an adaptive.method that chooses levels", got="constant", hint="--levels constant in the plan")

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`AdaptiveProcedure.to_dict`."""
        return {"method": "constant", **to_plain(self.parameters)}

    def next_level(self) -> float | None:
        """The next of the drawn order; None when every level was shown ``n_per_level`` times."""
        block, place = divmod(len(self._log), len(self.levels))
        if block >= self.parameters.n_per_level:
            return None
        rng = make_generator(self.parameters.seed, "constant stimuli", block)
        return self.levels[int(rng.permutation(len(self.levels))[place])]

    def _take_in(self, place: int, correct: bool) -> None:
        """Nothing but the log counts."""

    def estimate(self) -> Estimate:
        """Between the two levels whose proportions of right answers enclose the target, by a line through them."""
        places = [self.levels.index(level) for level, _ in self._log]
        right = np.bincount(places, [c for _, c in self._log], len(self.levels))
        shown = np.bincount(places, minlength=len(self.levels))
        known = shown > 0
        target = self.parameters.target
        threshold = _cross(np.asarray(self.levels)[known], right[known] / shown[known], target)
        return Estimate(threshold, math.nan, math.nan, target, len(self._log))


@METHODS.register("up_down")
@final
class UpDown(AdaptiveProcedure):
    """A transformed up-down staircase: ``down`` right answers in a row make it harder, ``up`` wrong ones easier.

    Converges on the level where the chances of both are equal; for 1 up, n down at :math:`0.5^{1/n}` right answers.

    Notes
    -----
    Source: Levitt (1971), Transformed up-down methods in psychoacoustics, J. Acoust. Soc. Am. 49.
    """

    @final
    @dataclass(frozen=True)
    class Parameters:
        """``levels``, hardest first; ``up``, ``down``; ``start``, a position among the levels (-1: the easiest).

        ``steps``: positions to move by, one after each reversal, the last kept; ``n_reversals``, ``n_trials``: where
        it ends, 0 never; ``n_averaged``: the reversals at the end that the estimate is the mean of.
        """

        levels: tuple[float, ...]
        up: int = 1
        down: int = 2
        start: int = -1
        steps: tuple[int, ...] = (1,)
        n_reversals: int = 0
        n_trials: int = 0
        n_averaged: int = 6

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters.levels)
        self.parameters = p = parameters
        n = len(self.levels)
        if not -n <= p.start < n:
            raise InputError(f"a start from 0 to {n - 1}, a position among the levels", got=str(p.start))
        if min(p.up, p.down, p.n_averaged, *(p.steps or (0,))) < 1:
            raise InputError("up, down, n_averaged and steps of 1 or more", got=str(to_plain(p)))
        self._place = p.start % n
        self._run = 0
        self._direction = 0
        self.reversals: list[float] = []

    @staticmethod
    def plan(adaptive: Adaptive, levels: tuple[float, ...]) -> Mapping[str, Any]:
        """See :meth:`AdaptiveProcedure.plan`."""
        start = round(adaptive.start * (len(levels) - 1))
        return {"method": "up_down", "levels": levels, "up": adaptive.up, "down": adaptive.down, "start": start}

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`AdaptiveProcedure.to_dict`."""
        return {"method": "up_down", **to_plain(self.parameters)}

    @property
    def target(self) -> float:
        """Proportion of right answers at which it settles: up and down are equally likely there."""
        from scipy.optimize import brentq

        up, down = self.parameters.up, self.parameters.down

        def balance(p: float) -> float:
            # each run ends with `down` right ones or `up` wrong ones in a row; odds of the two ends
            right = p**down * (1 - (1 - p) ** up) / p
            wrong = (1 - p) ** up * (1 - p**down) / (1 - p)
            return right - wrong

        return float(brentq(balance, 1e-6, 1 - 1e-6))  # type: ignore[arg-type]

    def next_level(self) -> float | None:
        """The staircase's level; None when it has ended."""
        p = self.parameters
        if (p.n_reversals and len(self.reversals) >= p.n_reversals) or 0 < p.n_trials <= len(self._log):
            return None
        return self.levels[self._place]

    def _take_in(self, place: int, correct: bool) -> None:
        """The level that was shown is taken as the staircase's."""
        if place != self._place:
            self._place, self._run = place, 0
        sign = 1 if correct else -1
        self._run = self._run + sign if self._run * sign > 0 else sign
        p = self.parameters
        if self._run >= p.down or -self._run >= p.up:
            self._move(-1 if correct else 1)
            self._run = 0

    def _move(self, direction: int) -> None:
        if self._direction and direction != self._direction:
            self.reversals.append(self.levels[self._place])
        self._direction = direction
        steps = self.parameters.steps
        step = steps[min(len(self.reversals), len(steps) - 1)]
        self._place = min(max(self._place + direction * step, 0), len(self.levels) - 1)

    def estimate(self) -> Estimate:
        """The mean level of the last reversals, an even number of them."""
        n = min(self.parameters.n_averaged, len(self.reversals)) // 2 * 2
        threshold = float(np.mean(self.reversals[-n:])) if n else math.nan
        return Estimate(threshold, math.nan, math.nan, self.target, len(self._log))


@suggest_keywords
def pick_level(adaptive: Adaptive, levels: Sequence[float], answers: Iterable[Answer]) -> int:
    """Which of an adaptive trial's levels comes next, by its position.

    Parameters
    ----------
    adaptive : Adaptive
        Of the experiment's settings.
    levels : sequence of float
        From the hardest to the easiest.
    answers : iterable of (float, bool)
        What was shown before in the same staircase, in order, and whether the answer was right.

    Returns
    -------
    int
        From 0 to ``len(levels) - 1``.

    >>> from beholder.experiments import Adaptive
    >>> pick_level(Adaptive(method="up_down"), (0.05, 0.1, 0.3, 1.0), [(1.0, True), (1.0, True)])
    2
    """
    made = make_staircase(adaptive, levels).replay(answers)
    level = made.next_level()
    assert level is not None  # adaptive trials are counted by the plan
    return made.levels.index(level)


@suggest_keywords
def make_staircase(adaptive: Adaptive, levels: Sequence[float]) -> AdaptiveProcedure:
    """The procedure that an experiment's settings mean for some levels.

    Parameters
    ----------
    adaptive : Adaptive
    levels : sequence of float
        From the hardest to the easiest.
    """
    return AdaptiveProcedure.from_dict(describe_adaptive(adaptive, tuple(float(level) for level in levels)))


@lru_cache(maxsize=64)
def describe_adaptive(adaptive: Adaptive, levels: tuple[float, ...]) -> Mapping[str, Any]:
    """The settings of a procedure over these levels; grid and scale follow from the levels."""
    return METHODS[adaptive.method].plan(adaptive, levels)


def _cross(levels: np.ndarray, proportions: np.ndarray, target: float) -> float:
    """Where a line through the proportions first reaches the target, from the hardest on; NaN where it does not."""
    for k in range(len(levels) - 1):
        below, above = proportions[k], proportions[k + 1]
        if below <= target <= above and above > below:
            return float(levels[k] + (target - below) / (above - below) * (levels[k + 1] - levels[k]))
    return math.nan
