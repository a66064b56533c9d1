"""Drawing whole experiments, to see how often a difference comes out significant."""

from __future__ import annotations

import math

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.statistics._effect import Effect, check_sizes, compute_chance, is_crossed


@suggest_keywords
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
        At least 0.

    Returns
    -------
    float
        Proportion of experiments that came out significant.
    """
    from scipy import stats

    q = check_sizes(effect, n_participants, n_trials, n_items, alpha)
    if seed < 0:
        raise InputError("a seed of at least 0", got=str(seed))
    rng = np.random.Generator(np.random.PCG64(seed))
    hits = 0
    for _ in range(n_simulations):
        answers, places = draw_experiment(effect, n_participants, n_trials, q, rng)
        means = answers.mean(axis=2)
        if effect.design == "within":
            own = means[1] - means[0]
            by_people, df = own.var(ddof=1) / n_participants, n_participants - 1.0
        else:
            by_people, df = _welch(means[0], means[1])
        tested = by_people
        if effect.items == "separate":
            things = [_average_items(answers[c], places[c], q) for c in (0, 1)]
            by_things, df_things = _welch(things[0], things[1])
            tested = by_people + by_things
            if tested > 0:
                df = tested**2 / (by_people**2 / df + by_things**2 / df_things)
        difference = float(means[1].mean() - means[0].mean())
        if tested > 0:
            hits += 2 * stats.t.sf(abs(difference) / math.sqrt(tested), df) < alpha
        else:
            hits += difference != 0
    return float(hits) / n_simulations


def draw_experiment(effect: Effect, n: int, k: int, q: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Answers and the stimuli they are to, both (2 conditions, n_participants, n_trials)."""
    s_u, s_e, s_w = effect.logit_sds
    groups = (1, n) if effect.design == "within" else (2, n)
    u, e = (np.broadcast_to(rng.standard_normal(groups), (2, n)) for _ in range(2))
    pools = rng.standard_normal((1 if effect.items == "shared" else 2, q))
    w = np.broadcast_to(pools, (2, q))
    if is_crossed(effect):
        order = np.argsort(rng.random((n, q)), axis=1)
        places = np.stack([order[:, :k], order[:, k : 2 * k]])
    else:
        places = np.argsort(rng.random((2, n, q)), axis=2)[:, :, :k]
    shown = np.take_along_axis(w[:, None, :].repeat(n, axis=1), places, axis=2)
    sign = np.array([-0.5, 0.5])[:, None]
    logits = np.asarray(effect.intercepts)[:, None] + s_u * u + sign * s_e * e
    chance = compute_chance(logits[:, :, None] + s_w * shown)
    return (rng.random(chance.shape) < chance).astype(float), places


def _average_items(answers: np.ndarray, places: np.ndarray, q: int) -> np.ndarray:
    """Proportions of right answers of the stimuli that were shown."""
    shown = np.bincount(places.ravel(), minlength=q)
    right = np.bincount(places.ravel(), answers.ravel(), q)
    return right[shown > 0] / shown[shown > 0]


def _welch(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Squared standard error of a difference of means, and its degrees of freedom."""
    a, b = (float(x.var(ddof=1)) / len(x) if len(x) > 1 else 0.0 for x in (first, second))
    if a + b == 0:
        return 0.0, float(len(first) + len(second) - 2)
    return a + b, (a + b) ** 2 / (a**2 / max(len(first) - 1, 1) + b**2 / max(len(second) - 1, 1))
