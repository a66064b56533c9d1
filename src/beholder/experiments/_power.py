"""How many participants and trials show a difference between two conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.seeds import DEFAULT_SEED

if TYPE_CHECKING:
    import pandas as pd

_NODES = 41
_MOST_PARTICIPANTS = 5000


@final
@dataclass(frozen=True)
class Effect:
    r"""A difference between two conditions, and how much people and stimuli differ.

    The chance that participant i gets stimulus j right in condition c is
    :math:`\sigma(a_c + u_i \pm e_i / 2 + w_j)` with normal :math:`u, e, w` (a logistic mixed model); the shares and
    standard deviations below, all in shares of right answers, decide its numbers.

    Parameters
    ----------
    share_1, share_2 : float
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
        Shares outside (0, 1), or standard deviations that such shares cannot have.
    """

    share_1: float
    share_2: float
    participant_sd: float = 0.07
    effect_sd: float = 0.05
    item_sd: float = 0.12
    design: Literal["within", "between"] = "within"
    items: Literal["shared", "separate"] = "shared"

    def __post_init__(self) -> None:
        for name in ("share_1", "share_2"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"a {name} between 0 and 1", got=f"{getattr(self, name):g}")
        for name, choices in (("design", ("within", "between")), ("items", ("shared", "separate"))):
            if getattr(self, name) not in choices:
                raise UnknownNameError(f"kind of {name}", getattr(self, name), choices)
        middle = (self.share_1 + self.share_2) / 2
        most = math.sqrt(middle * (1 - middle))
        for name in ("participant_sd", "effect_sd", "item_sd"):
            if not 0 <= getattr(self, name) < 0.9 * most:
                raise InputError(f"a {name} from 0 to {0.9 * most:.2g}", got=f"{getattr(self, name):g}")

    @property
    def difference(self) -> float:
        """Share 2 less share 1."""
        return self.share_2 - self.share_1

    @cached_property
    def logit_sds(self) -> tuple[float, float, float]:
        """Standard deviations of u, e and w, in logits."""
        middle = (self.share_1 + self.share_2) / 2
        u, w = _find_logit_sd(middle, self.participant_sd), _find_logit_sd(middle, self.item_sd)
        e = self.effect_sd / (middle * (1 - middle)) if self.design == "within" else 0.0
        return u, e, w

    @cached_property
    def intercepts(self) -> tuple[float, float]:
        """The two conditions' intercepts, in logits, that give the shares exactly."""
        u, e, w = self.logit_sds
        total = math.sqrt(u**2 + e**2 / 4 + w**2)
        return _find_intercept(self.share_1, total), _find_intercept(self.share_2, total)

    @cached_property
    def variances(self) -> dict[str, float]:
        """Parts of the variance of single answers, in squared shares.

        ``participants``: of participants' own difference (within), or the sum of both conditions' variances between
        participants; ``items``: the sum of both conditions' variances between stimuli; ``item_differences``: of
        stimuli's own difference; ``residual``: the sum of both conditions' remainders.
        """
        (s_u, s_e, s_w), (a_1, a_2) = self.logit_sds, self.intercepts
        z, weight = np.polynomial.hermite_e.hermegauss(_NODES)
        weight = weight / weight.sum()
        u, e, w = np.meshgrid(s_u * z, s_e / 2 * z, s_w * z, indexing="ij")
        one, two = _expit(a_1 + u - e + w), _expit(a_2 + u + e + w)
        both = weight[:, None] * weight
        people = [np.tensordot(chance, weight, (2, 0)) for chance in (one, two)]
        things = [np.tensordot(both, chance, ((0, 1), (0, 1))) for chance in (one, two)]

        def spread(values: np.ndarray, over: np.ndarray) -> float:
            mean = float((over * values).sum())
            return float((over * (values - mean) ** 2).sum())

        by_people = [spread(values, both) for values in people]
        by_things = [spread(values, weight) for values in things]
        shares = (self.share_1, self.share_2)
        within = self.design == "within"
        return {
            "participants": spread(people[1] - people[0], both) if within else sum(by_people),
            "items": sum(by_things),
            "item_differences": spread(things[1] - things[0], weight),
            "residual": sum(p * (1 - p) for p in shares) - sum(by_people) - sum(by_things),
        }


def compute_power(
    effect: Effect, n_participants: int, n_trials: int, *, n_items: int | None = None, alpha: float = 0.05
) -> float:
    r"""Probability that the difference comes out significant, by a normal approximation.

    The test is two-sided on participants' shares of right answers: a t-test of differences (within), or Welch's
    (between). Where conditions have their own stimuli, which a test over participants alone takes for all there are,
    it is min F' of the tests over participants and over stimuli. The difference is taken as normal with the variance
    that :attr:`Effect.variances` gives, the test's denominator as an independent :math:`\chi^2`.

    Parameters
    ----------
    effect : Effect
    n_participants : int
        Within: in all. Between: in each condition. At least 2.
    n_trials : int
        Of each participant in each condition they take, at least 1.
    n_items : int, optional
        Different stimuli in each condition, of which a participant gets ``n_trials`` drawn at random; default as many
        as trials, or twice as many where one participant takes both conditions with shared stimuli.
    alpha : float
        In (0, 1).

    Returns
    -------
    float

    Raises
    ------
    InputError
        Numbers out of their range, or fewer stimuli than a participant is shown.

    Notes
    -----
    Source: Clark (1973), The language-as-fixed-effect fallacy, J. Verbal Learn. Verbal Behav. 12, for min F'; Westfall,
    Kenny & Judd (2014), Statistical power and optimal design in experiments in which samples of participants respond
    to samples of stimuli, J. Exp. Psychol. Gen. 143, for the variance of the difference.

    Examples
    --------
    >>> round(compute_power(Effect(0.75, 0.85), n_participants=30, n_trials=40), 2)
    1.0
    """
    from scipy import stats

    q = _check_sizes(effect, n_participants, n_trials, n_items, alpha)
    n, k = n_participants, n_trials
    part = effect.variances
    drawn = 1 / k if _is_crossed(effect) else 1 / k - 1 / q
    by_people = (part["participants"] + part["items"] * drawn + part["residual"] / k) / n
    free = n - 1 if effect.design == "within" else 2 * n - 2
    if effect.items == "shared":
        true, tested = by_people + part["item_differences"] / q, by_people
    else:
        true = by_people + part["items"] / q
        shown, looks = _count_looks(n, k / q)
        by_things = (part["items"] + (_spread_of_people(effect) * (1 - k / q) + part["residual"]) * looks) / (q * shown)
        tested = by_people + by_things
        free = tested**2 / (by_people**2 / free + by_things**2 / max(2 * q * shown - 2, 1))
    if true <= 0:
        return float(effect.difference != 0)
    critical = stats.t.ppf(1 - alpha / 2, free) * math.sqrt(tested / true)
    shift = abs(effect.difference) / math.sqrt(true)
    if free > 1e5 or shift - critical > 7:  # scipy's noncentral t gives out far from its middle
        return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))
    return float(stats.nct.sf(critical, free, shift) + stats.nct.cdf(-critical, free, shift))


def simulate_power(
    effect: Effect,
    n_participants: int,
    n_trials: int,
    *,
    n_items: int | None = None,
    alpha: float = 0.05,
    n_simulations: int = 1000,
    seed: int = DEFAULT_SEED,
) -> float:
    """The same probability by drawing participants, stimuli and answers, and testing each experiment.

    Parameters
    ----------
    effect, n_participants, n_trials, n_items, alpha
        As for :func:`compute_power`.
    n_simulations : int
        Experiments, at least 1.
    seed : int

    Returns
    -------
    float
        Share of experiments that came out significant.
    """
    from scipy import stats

    q = _check_sizes(effect, n_participants, n_trials, n_items, alpha)
    rng = np.random.Generator(np.random.PCG64(seed))
    hits = 0
    for _ in range(n_simulations):
        answers, places = _draw_experiment(effect, n_participants, n_trials, q, rng)
        means = answers.mean(axis=2)
        if effect.design == "within":
            own = means[1] - means[0]
            by_people, free = own.var(ddof=1) / n_participants, n_participants - 1.0
        else:
            by_people, free = _welch(means[0], means[1])
        tested = by_people
        if effect.items == "separate":
            things = [_average_items(answers[c], places[c], q) for c in (0, 1)]
            by_things, free_things = _welch(things[0], things[1])
            tested = by_people + by_things
            if tested > 0:
                free = tested**2 / (by_people**2 / free + by_things**2 / free_things)
        difference = float(means[1].mean() - means[0].mean())
        if tested > 0:
            hits += 2 * stats.t.sf(abs(difference) / math.sqrt(tested), free) < alpha
        else:
            hits += difference != 0
    return float(hits) / n_simulations


@final
@dataclass(frozen=True, repr=False)
class PowerAnalysis:
    """Power for numbers of participants and trials, and the numbers to take.

    Attributes
    ----------
    effect : Effect
    alpha, target : float
    table : tuple of dict
        Rows of ``n_participants, n_trials, power``.
    recommended : tuple of dict
        For each number of trials the least ``n_participants`` that reach the target, with ``power`` as computed and
        ``power_simulated`` as drawn; ``n_participants`` is 0 where none do.
    n_simulations : int
    """

    effect: Effect
    alpha: float
    target: float
    table: tuple[dict[str, Any], ...]
    recommended: tuple[dict[str, Any], ...]
    n_simulations: int

    def __repr__(self) -> str:
        found = [f"{row['n_participants']} x {row['n_trials']}" for row in self.recommended if row["n_participants"]]
        return f"PowerAnalysis(difference {self.effect.difference:g}, participants x trials: {', '.join(found)})"

    def to_pandas(self) -> pd.DataFrame:
        """The table, a row for each numbers of participants and trials."""
        import pandas as pd

        return pd.DataFrame(list(self.table))


def plan_power(
    effect: Effect,
    n_trials: Sequence[int],
    n_participants: Sequence[int] = (),
    *,
    n_items: int | None = None,
    alpha: float = 0.05,
    target: float = 0.8,
    n_simulations: int = 1000,
    seed: int = DEFAULT_SEED,
) -> PowerAnalysis:
    """Power over numbers of participants and trials, and the least numbers of participants that suffice.

    Parameters
    ----------
    effect : Effect
        With a difference that is not 0.
    n_trials : sequence of int
        In each condition a participant takes.
    n_participants : sequence of int
        For the table; default some around what suffices.
    n_items, alpha
        As for :func:`compute_power`.
    target : float
        Power wanted, in (alpha, 1).
    n_simulations : int
        Experiments drawn to check each recommendation; 0 for none.
    seed : int

    Examples
    --------
    >>> plan_power(Effect(0.7, 0.8), [20, 40], n_simulations=0).recommended[1]["n_participants"]
    11
    """
    if effect.difference == 0:
        raise InputError("two shares that differ", got=f"{effect.share_1:g} twice")
    if not alpha < target < 1:
        raise InputError(f"a power between {alpha:g} and 1", got=f"{target:g}")
    options = {"n_items": n_items, "alpha": alpha}
    recommended = []
    for k in n_trials:
        n = _find_participants(effect, k, target, options)
        row: dict[str, Any] = {"n_trials": k, "n_participants": n, "power": None, "power_simulated": None}
        if n:
            row["power"] = compute_power(effect, n, k, **options)
            if n_simulations:
                drawn = simulate_power(effect, n, k, n_simulations=n_simulations, seed=seed, **options)
                row["power_simulated"] = drawn
        recommended.append(row)
    counts = sorted(set(n_participants)) or _choose_counts([row["n_participants"] for row in recommended])
    table = tuple(
        {"n_participants": n, "n_trials": k, "power": compute_power(effect, n, k, **options)}
        for k in n_trials
        for n in counts
    )
    return PowerAnalysis(effect, alpha, target, table, tuple(recommended), n_simulations)


def _find_participants(effect: Effect, n_trials: int, target: float, options: dict[str, Any]) -> int:
    """The least number that reaches the target; 0 where stimuli are too few for any."""
    if compute_power(effect, _MOST_PARTICIPANTS, n_trials, **options) < target:
        return 0
    low, high = 1, _MOST_PARTICIPANTS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if compute_power(effect, middle, n_trials, **options) >= target else (middle, high)
    return high


def _choose_counts(found: Sequence[int]) -> list[int]:
    """Round numbers from half of the least to twice the most that were found."""
    known = [n for n in found if n] or [20]
    round_numbers = [2, 4, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 600, 800, 1200, 2000]
    return [n for n in round_numbers if min(known) / 2 <= n <= max(known) * 2] or [max(2, n) for n in known]


def _check_sizes(effect: Effect, n: int, k: int, n_items: int | None, alpha: float) -> int:
    """The number of stimuli in each condition."""
    if n < 2 or k < 1:
        raise InputError("at least 2 participants and 1 trial", got=f"{n} and {k}")
    if not 0 < alpha < 1:
        raise InputError("an alpha between 0 and 1", got=f"{alpha:g}")
    least = 2 * k if _is_crossed(effect) else k
    q = least if n_items is None else n_items
    if q < least:
        raise InputError(f"at least {least} stimuli for {k} trials of a participant", got=str(q))
    return q


def _is_crossed(effect: Effect) -> bool:
    """Whether one participant takes both conditions, with different stimuli of one pool."""
    return effect.design == "within" and effect.items == "shared"


def _spread_of_people(effect: Effect) -> float:
    """Sum of both conditions' variances between participants."""
    if effect.design == "between":
        return effect.variances["participants"]
    return 2 * effect.participant_sd**2 + effect.effect_sd**2 / 2


def _count_looks(n: int, share: float) -> tuple[float, float]:
    """Of stimuli each shown to a participant by chance: the share shown at all, and the mean of 1 / participants."""
    from scipy import stats

    counts = np.arange(1, n + 1)
    chances = stats.binom.pmf(counts, n, share)
    return float(chances.sum()), float((chances / counts).sum() / chances.sum())


def _draw_experiment(effect: Effect, n: int, k: int, q: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Answers and the stimuli they are to, both (2 conditions, n_participants, n_trials)."""
    s_u, s_e, s_w = effect.logit_sds
    groups = (1, n) if effect.design == "within" else (2, n)
    u, e = (np.broadcast_to(rng.standard_normal(groups), (2, n)) for _ in range(2))
    pools = rng.standard_normal((1 if effect.items == "shared" else 2, q))
    w = np.broadcast_to(pools, (2, q))
    if _is_crossed(effect):
        order = np.argsort(rng.random((n, q)), axis=1)
        places = np.stack([order[:, :k], order[:, k : 2 * k]])
    else:
        places = np.argsort(rng.random((2, n, q)), axis=2)[:, :, :k]
    shown = np.take_along_axis(w[:, None, :].repeat(n, axis=1), places, axis=2)
    sign = np.array([-0.5, 0.5])[:, None]
    logits = np.asarray(effect.intercepts)[:, None] + s_u * u + sign * s_e * e
    chance = _expit(logits[:, :, None] + s_w * shown)
    return (rng.random(chance.shape) < chance).astype(float), places


def _average_items(answers: np.ndarray, places: np.ndarray, q: int) -> np.ndarray:
    """Shares of right answers of the stimuli that were shown."""
    shown = np.bincount(places.ravel(), minlength=q)
    right = np.bincount(places.ravel(), answers.ravel(), q)
    return right[shown > 0] / shown[shown > 0]


def _welch(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Squared standard error of a difference of means, and its degrees of freedom."""
    a, b = (float(x.var(ddof=1)) / len(x) if len(x) > 1 else 0.0 for x in (first, second))
    if a + b == 0:
        return 0.0, float(len(first) + len(second) - 2)
    return a + b, (a + b) ** 2 / (a**2 / max(len(first) - 1, 1) + b**2 / max(len(second) - 1, 1))


def _find_intercept(share: float, sd: float) -> float:
    """The intercept at which a logit-normal share has this mean."""
    from scipy.optimize import brentq

    return float(brentq(lambda a: _mean_and_variance(a, sd)[0] - share, -60, 60))  # type: ignore[arg-type]


def _find_logit_sd(mean: float, sd: float) -> float:
    """The standard deviation in logits of shares with this mean and standard deviation."""
    from scipy.optimize import brentq

    if sd == 0:
        return 0.0
    return float(
        brentq(lambda s: _mean_and_variance(_find_intercept(mean, s), s)[1] - sd**2, 0, 20)  # type: ignore[arg-type]
    )


def _mean_and_variance(intercept: float, sd: float) -> tuple[float, float]:
    z, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    weight = weight / weight.sum()
    chance = _expit(intercept + sd * z)
    mean = float(weight @ chance)
    return mean, float(weight @ (chance - mean) ** 2)


def _expit(x: Any) -> np.ndarray:
    from scipy.special import expit

    return expit(x)
