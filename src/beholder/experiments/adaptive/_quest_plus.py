"""QUEST+: the level from which the most is expected to be learnt about the psychometric function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from beholder._core.errors import InputError
from beholder.experiments.adaptive._procedure import METHODS, AdaptiveProcedure, Estimate
from beholder.experiments.settings._fields import to_plain
from beholder.statistics import Function, find_level, psychometric

if TYPE_CHECKING:
    from beholder.experiments.settings._settings import Adaptive

_LOG_RATIO = 10.0
_N_THRESHOLDS, _N_SLOPES = 41, 12


@METHODS.register("quest+")
@final
class QuestPlus(AdaptiveProcedure):
    r"""QUEST+: a Bayesian grid over threshold, slope, guessing and lapses.

    The next level is the one from which the most is expected to be learnt,
    :math:`\arg\min_x \sum_r p(r \mid x) \, H(\text{posterior} \mid x, r)`. Of equally good levels the first is taken,
    so that the same answers give the same levels.

    Notes
    -----
    Source: Watson (2017), QUEST+: a general multidimensional Bayesian adaptive psychometric method, Journal of Vision
    17(3):10, eq. 1-6.
    """

    @final
    @dataclass(frozen=True)
    class Parameters:
        """``levels``, hardest first, and the grid: ``thresholds``, ``slopes``, ``guesses``, ``lapses``, flat prior.

        ``scale``: ``linear``, or ``log10`` of levels above 0; thresholds are in levels' units, slopes per unit of the
        scale. ``function``: see :func:`psychometric`. ``n_trials``: where it ends, 0 never. ``target`` of the estimate.
        """

        levels: tuple[float, ...]
        thresholds: tuple[float, ...]
        slopes: tuple[float, ...]
        guesses: tuple[float, ...] = (0.5,)
        lapses: tuple[float, ...] = (0.02,)
        function: Function = "weibull"
        scale: Literal["linear", "log10"] = "linear"
        n_trials: int = 0
        target: float = 0.75

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters.levels)
        self.parameters = p = parameters
        for name in ("thresholds", "slopes", "guesses", "lapses"):
            if not getattr(p, name):
                raise InputError(f"at least one of {name}", got="none")
        if min(p.slopes) <= 0 or not all(0 <= g < 1 for g in (*p.guesses, *p.lapses)):
            raise InputError("slopes above 0, guesses and lapses in [0, 1)", got="others")
        if p.scale == "log10" and min(*p.levels, *p.thresholds) <= 0:
            raise InputError("levels and thresholds above 0 on a log10 scale", got=f"{min(p.levels):g}")
        self._log_posterior = np.zeros(tuple(len(axis) for axis in self._axes))

    @cached_property
    def _axes(self) -> tuple[tuple[float, ...], ...]:
        p = self.parameters
        return p.thresholds, p.slopes, p.guesses, p.lapses

    @cached_property
    def _chances(self) -> np.ndarray:
        """Probability of a right answer, (n_levels, n_thresholds, n_slopes, n_guesses, n_lapses)."""
        p = self.parameters
        x = self._to_scale(p.levels)[:, None, None, None, None]
        t, s, g, la = np.meshgrid(self._to_scale(p.thresholds), p.slopes, p.guesses, p.lapses, indexing="ij")
        return psychometric(x, t, s, g, la, function=p.function)

    def _to_scale(self, values: Sequence[float]) -> np.ndarray:
        """Numbers on which a higher level is easier."""
        scaled = np.log10(values) if self.parameters.scale == "log10" else np.asarray(values, dtype=float)
        return scaled if self.levels[0] < self.levels[-1] else -scaled

    def _from_scale(self, value: float) -> float:
        value = value if self.levels[0] < self.levels[-1] else -value
        return float(10**value) if self.parameters.scale == "log10" else float(value)

    @staticmethod
    def plan(adaptive: Adaptive, levels: tuple[float, ...]) -> Mapping[str, Any]:
        """See :meth:`AdaptiveProcedure.plan`: grid and scale follow from the levels."""
        low, high = min(levels), max(levels)
        log = low > 0 and high / low >= _LOG_RATIO
        ends = np.log10([low, high]) if log else np.array([low, high])
        span = float(ends[1] - ends[0])
        thresholds = np.linspace(ends[0] - span / 10, ends[1] + span / 10, _N_THRESHOLDS)
        slopes = np.geomspace(2, 60, _N_SLOPES) / span
        return {
            "method": "quest+", "levels": levels, "function": "weibull" if log else "logistic",
            "scale": "log10" if log else "linear",
            "thresholds": tuple((10**thresholds if log else thresholds).tolist()), "slopes": tuple(slopes.tolist()),
            "guesses": (adaptive.guess,), "lapses": (adaptive.lapse,), "target": adaptive.target,
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`AdaptiveProcedure.to_dict`."""
        return {"method": "quest+", **to_plain(self.parameters)}

    @property
    def posterior(self) -> np.ndarray:
        """Probability of each point of the grid, (n_thresholds, n_slopes, n_guesses, n_lapses)."""
        posterior = np.exp(self._log_posterior - self._log_posterior.max())
        return posterior / posterior.sum()

    def expect_entropy(self) -> np.ndarray:
        """Entropy of the posterior that is expected after showing each level, (n_levels,), in nats."""
        chances, posterior = self._chances, self.posterior
        grid = tuple(range(1, 5))
        expected = np.zeros(len(self.levels))
        for chance in (chances, 1 - chances):
            joint = chance * posterior
            share = joint.sum(axis=grid)
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = np.where(joint > 0, joint * np.log(joint), 0.0).sum(axis=grid)
                expected += np.where(share > 0, share * np.log(share), 0.0) - logs
        return expected

    def next_level(self) -> float | None:
        """The level from which the most is expected to be learnt; None after ``n_trials``."""
        if 0 < self.parameters.n_trials <= len(self._log):
            return None
        entropies = self.expect_entropy()
        return self.levels[int(np.flatnonzero(entropies <= entropies.min() + 1e-12)[0])]

    def _take_in(self, place: int, correct: bool) -> None:
        chance = self._chances[place]
        with np.errstate(divide="ignore"):
            added = self._log_posterior + np.log(chance if correct else 1 - chance)
        if np.isneginf(added).all():
            raise InputError(
                "answers that the grid allows",
                got=f"an impossible one at {self.levels[place]:g}",
                hint="lapses above 0",
            )
        self._log_posterior = added

    def estimate_parameters(self) -> dict[str, float]:
        """Posterior means of ``threshold`` (in levels' units), ``slope``, ``guess`` and ``lapse``."""
        posterior = self.posterior
        p = self.parameters
        values = (self._to_scale(p.thresholds), p.slopes, p.guesses, p.lapses)
        means = []
        for axis, grid in enumerate(values):
            marginal = posterior.sum(axis=tuple(k for k in range(4) if k != axis))
            means.append(float(marginal @ np.asarray(grid)))
        return {
            "threshold": self._from_scale(means[0]), "slope": means[1], "guess": means[2], "lapse": means[3],
        }  # fmt: skip

    def estimate(self) -> Estimate:
        """The level at the target by the posterior means, with the middle 95 % of the threshold's posterior."""
        p = self.parameters
        means = self.estimate_parameters()
        at = self._to_scale((means["threshold"],))[0]
        rest = (means["slope"], means["guess"], means["lapse"])
        shift = find_level(p.target, at, *rest, function=p.function) - at
        grid = self._to_scale(p.thresholds)
        order = np.argsort(grid)
        cumulated = np.cumsum(self.posterior.sum(axis=(1, 2, 3))[order])
        ends = [self._from_scale(grid[order][min(np.searchsorted(cumulated, q), len(grid) - 1)] + shift)
                for q in (0.025, 0.975)]  # fmt: skip
        return Estimate(self._from_scale(at + shift), min(ends), max(ends), p.target, len(self._log))
