"""How many participants and trials show a difference between two conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.notebooks import render_table
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.statistics._effect import Effect, check_sizes, is_crossed
from beholder.statistics._power_draws import simulate_power

if TYPE_CHECKING:
    import pandas as pd

_MOST_PARTICIPANTS = 5000


@suggest_keywords
def compute_power(
    effect: Effect, n_participants: int, n_trials: int, *, n_items: int | None = None, alpha: float = 0.05
) -> float:
    r"""Probability that the difference comes out significant, by a normal approximation.

    The test is two-sided on participants' proportions of right answers: a t-test of differences (within), or Welch's
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

    q = check_sizes(effect, n_participants, n_trials, n_items, alpha)
    n, k = n_participants, n_trials
    part = effect.variances
    drawn = 1 / k if is_crossed(effect) else 1 / k - 1 / q
    by_people = (part["participants"] + part["items"] * drawn + part["residual"] / k) / n
    df = n - 1 if effect.design == "within" else 2 * n - 2
    if effect.items == "shared":
        true, tested = by_people + part["item_differences"] / q, by_people
    else:
        true = by_people + part["items"] / q
        shown, looks = _count_looks(n, k / q)
        by_things = (part["items"] + (_spread_of_people(effect) * (1 - k / q) + part["residual"]) * looks) / (q * shown)
        tested = by_people + by_things
        df = tested**2 / (by_people**2 / df + by_things**2 / max(2 * q * shown - 2, 1))
    if true <= 0:
        return float(effect.difference != 0)
    critical = stats.t.ppf(1 - alpha / 2, df) * math.sqrt(tested / true)
    shift = abs(effect.difference) / math.sqrt(true)
    if df > 1e5 or shift - critical > 7:  # scipy's noncentral t gives out far from its middle
        return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))
    return float(stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift))


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

    def to_lines(self) -> list[str]:
        """For people: what was asked, power by participants and trials, and what suffices."""
        effect = self.effect
        counts = list(dict.fromkeys(row["n_participants"] for row in self.table))
        trials = list(dict.fromkeys(row["n_trials"] for row in self.table))
        powers = {(row["n_participants"], row["n_trials"]): row["power"] for row in self.table}
        each = "" if effect.design == "within" else " in each group"
        lines = [
            f"{effect.proportion_1:g} and {effect.proportion_2:g} right, {effect.design} participants, "
            f"{effect.items} stimuli; "
            f"SD {effect.participant_sd:g} between participants, {effect.effect_sd:g} of their difference, "
            f"{effect.item_sd:g} between stimuli; alpha {self.alpha:g}",
            "",
            f"{'participants' + each:>24}  " + "".join(f"{f'{k} trials':>12}" for k in trials),
            *(f"{n:>24}  " + "".join(f"{powers[n, k]:>12.2f}" for k in trials) for n in counts),
            "",
        ]
        for row in self.recommended:
            head = f"{format_count(row['n_trials'], 'trial')} in each condition: "
            if not row["n_participants"]:
                lines.append(f"{head}no number of participants reaches {self.target:g}; more stimuli are needed")
                continue
            drawn = f", {row['power_simulated']:.2f} in {self.n_simulations:,} drawn experiments"
            checked = drawn if row["power_simulated"] is not None else ""
            lines.append(
                f"{head}{format_count(row['n_participants'], 'participant')}{each} (power {row['power']:.2f}{checked})"
            )
        return lines

    def _repr_html_(self) -> str:
        """Its first rows, for notebooks."""
        return render_table(repr(self), self.to_pandas())

    def to_pandas(self) -> pd.DataFrame:
        """The table, a row for each numbers of participants and trials."""
        import pandas as pd

        return pd.DataFrame(list(self.table))


@suggest_keywords
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
        raise InputError("two proportions that differ", got=f"{effect.proportion_1:g} twice")
    if not 0 < alpha < 1:
        raise InputError("an alpha between 0 and 1", got=f"{alpha:g}")
    if not alpha < target < 1:
        raise InputError(f"a power between {alpha:g} and 1", got=f"{target:g}")
    options: dict[str, Any] = {"n_items": n_items, "alpha": alpha}
    recommended: list[dict[str, Any]] = []
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


def _spread_of_people(effect: Effect) -> float:
    """Sum of both conditions' variances between participants."""
    if effect.design == "between":
        return effect.variances["participants"]
    return 2 * effect.participant_sd**2 + effect.effect_sd**2 / 2


def _count_looks(n: int, proportion: float) -> tuple[float, float]:
    """Of stimuli shown to a participant by chance: the proportion shown at all, and the mean of 1 / participants."""
    from scipy import stats

    counts = np.arange(1, n + 1)
    chances = stats.binom.pmf(counts, n, proportion)
    return float(chances.sum()), float((chances / counts).sum() / chances.sum())
