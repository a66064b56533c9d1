"""A difference between two conditions, in a world where people and stimuli differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.renamed import accept_old_fields

_NODES = 41


@final
@accept_old_fields(share_1="proportion_1", share_2="proportion_2")
@dataclass(frozen=True)
class Effect:
    r"""A difference between two conditions, and how much people and stimuli differ.

    The chance that participant i gets stimulus j right in condition c is
    :math:`\sigma(a_c + u_i \pm e_i / 2 + w_j)` with normal :math:`u, e, w` (a logistic mixed model); the proportions
    and standard deviations below, all of right answers, decide its numbers.

    Parameters
    ----------
    proportion_1, proportion_2 : float
        Of right answers in the two conditions, over participants and stimuli, in (0, 1).
    participant_sd : float
        Standard deviation between participants.
    effect_sd : float
        Standard deviation between participants of their own difference (within-participant designs).
    item_sd : float
        Standard deviation between stimuli.
    design : {"within", "between"}
        Whether a participant takes both conditions.
    items : {"shared", "separate"}
        Whether the same stimuli are shown in both conditions (to one participant each only in one of them), or each
        condition has its own.

    Raises
    ------
    InputError
        Proportions outside (0, 1), or standard deviations that such proportions cannot have.
    """

    proportion_1: float
    proportion_2: float
    participant_sd: float = 0.07
    effect_sd: float = 0.05
    item_sd: float = 0.12
    design: Literal["within", "between"] = "within"
    items: Literal["shared", "separate"] = "shared"

    def __post_init__(self) -> None:
        for name in ("proportion_1", "proportion_2"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"a {name} between 0 and 1", got=f"{getattr(self, name):g}")
        for name, choices in (("design", ("within", "between")), ("items", ("shared", "separate"))):
            if getattr(self, name) not in choices:
                raise UnknownNameError(f"kind of {name}", getattr(self, name), choices)
        middle = (self.proportion_1 + self.proportion_2) / 2
        most = math.sqrt(middle * (1 - middle))
        for name in ("participant_sd", "effect_sd", "item_sd"):
            if not 0 <= getattr(self, name) < 0.9 * most:
                raise InputError(f"a {name} from 0 to {0.9 * most:.2g}", got=f"{getattr(self, name):g}")

    @property
    def difference(self) -> float:
        """Proportion 2 less proportion 1."""
        return self.proportion_2 - self.proportion_1

    @cached_property
    def logit_sds(self) -> tuple[float, float, float]:
        """Standard deviations of u, e and w, in logits."""
        middle = (self.proportion_1 + self.proportion_2) / 2
        u, w = _find_logit_sd(middle, self.participant_sd), _find_logit_sd(middle, self.item_sd)
        e = self.effect_sd / (middle * (1 - middle)) if self.design == "within" else 0.0
        return u, e, w

    @cached_property
    def intercepts(self) -> tuple[float, float]:
        """The two conditions' intercepts, in logits, that give the proportions exactly."""
        u, e, w = self.logit_sds
        total = math.sqrt(u**2 + e**2 / 4 + w**2)
        return _find_intercept(self.proportion_1, total), _find_intercept(self.proportion_2, total)

    @cached_property
    def variances(self) -> dict[str, float]:
        """Parts of the variance of single answers, in squared proportions.

        ``participants``: of participants' own difference (within), or the sum of both conditions' variances between
        participants; ``items``: the sum of both conditions' variances between stimuli; ``item_differences``: of
        stimuli's own difference; ``residual``: the sum of both conditions' remainders.
        """
        (s_u, s_e, s_w), (a_1, a_2) = self.logit_sds, self.intercepts
        z, weight = np.polynomial.hermite_e.hermegauss(_NODES)
        weight = weight / weight.sum()
        u, e, w = np.meshgrid(s_u * z, s_e / 2 * z, s_w * z, indexing="ij")
        one, two = compute_chance(a_1 + u - e + w), compute_chance(a_2 + u + e + w)
        both = weight[:, None] * weight
        people = [np.tensordot(chance, weight, (2, 0)) for chance in (one, two)]
        things = [np.tensordot(both, chance, ((0, 1), (0, 1))) for chance in (one, two)]

        def compute_variance(values: np.ndarray, over: np.ndarray) -> float:
            mean = float((over * values).sum())
            return float((over * (values - mean) ** 2).sum())

        by_people = [compute_variance(values, both) for values in people]
        by_things = [compute_variance(values, weight) for values in things]
        proportions = (self.proportion_1, self.proportion_2)
        within = self.design == "within"
        return {
            "participants": compute_variance(people[1] - people[0], both) if within else sum(by_people),
            "items": sum(by_things),
            "item_differences": compute_variance(things[1] - things[0], weight),
            "residual": sum(p * (1 - p) for p in proportions) - sum(by_people) - sum(by_things),
        }


@suggest_keywords
def make_effect(
    intercepts: tuple[float, float], participant_sd: float, effect_sd: float, item_sd: float, *,
    design: Literal["within", "between"] = "within", items: Literal["shared", "separate"] = "shared",
) -> Effect:  # fmt: skip
    """The effect of a logistic mixed model: its numbers in logits, as proportions of right answers.

    Parameters
    ----------
    intercepts : (float, float)
        Of the two conditions, at a typical participant and stimulus.
    participant_sd, effect_sd, item_sd : float
        Standard deviations between participants, of their own effect, and between stimuli.
    design, items
        As for :class:`Effect`.

    >>> made = make_effect((0.5, 1.5), 0.6, 0.4, 0.8)
    >>> [round(each, 2) for each in made.intercepts]
    [0.5, 1.5]
    """
    own = effect_sd if design == "within" else 0.0
    total = math.sqrt(participant_sd**2 + own**2 / 4 + item_sd**2)
    first, second = (_mean_and_variance(intercept, total)[0] for intercept in intercepts)
    middle = (first + second) / 2
    people, things = (
        math.sqrt(_mean_and_variance(_find_intercept(middle, sd), sd)[1]) if sd else 0.0
        for sd in (participant_sd, item_sd)
    )
    return Effect(first, second, people, own * middle * (1 - middle), things, design, items)


def check_sizes(effect: Effect, n: int, k: int, n_items: int | None, alpha: float) -> int:
    """The number of stimuli in each condition."""
    if n < 2 or k < 1:
        raise InputError("at least 2 participants and 1 trial", got=f"{n} and {k}")
    if not 0 < alpha < 1:
        raise InputError("an alpha between 0 and 1", got=f"{alpha:g}")
    least = 2 * k if is_crossed(effect) else k
    q = least if n_items is None else n_items
    if q < least:
        raise InputError(f"at least {least} stimuli for {k} trials of a participant", got=str(q))
    return q


def is_crossed(effect: Effect) -> bool:
    """Whether one participant takes both conditions, with different stimuli of one pool."""
    return effect.design == "within" and effect.items == "shared"


def _find_intercept(proportion: float, sd: float) -> float:
    """The intercept at which a logit-normal proportion has this mean."""
    from scipy.optimize import brentq

    return float(brentq(lambda a: _mean_and_variance(a, sd)[0] - proportion, -60, 60))  # type: ignore[arg-type]


def _find_logit_sd(mean: float, sd: float) -> float:
    """The standard deviation in logits of proportions with this mean and standard deviation."""
    from scipy.optimize import brentq

    if sd == 0:
        return 0.0
    return float(
        brentq(lambda s: _mean_and_variance(_find_intercept(mean, s), s)[1] - sd**2, 0, 20)  # type: ignore[arg-type]
    )


def _mean_and_variance(intercept: float, sd: float) -> tuple[float, float]:
    z, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    weight = weight / weight.sum()
    chance = compute_chance(intercept + sd * z)
    mean = float(weight @ chance)
    return mean, float(weight @ (chance - mean) ** 2)


def compute_chance(x: Any) -> np.ndarray:
    """The logistic function."""
    from scipy.special import expit

    return cast(np.ndarray, expit(x))
