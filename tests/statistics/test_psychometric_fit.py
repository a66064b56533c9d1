"""Psychometric fits against a general optimiser, simulation and known data."""

from __future__ import annotations

import math

import numpy as np
import pytest

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.seeds import make_generator
from beholder.statistics import (
    bootstrap_psychometric,
    bootstrap_psychometrics,
    fit_psychometric,
    fit_psychometrics,
    psychometric,
)

LEVELS = np.array([0.0, 1, 2, 3, 4])
RIGHT = [52, 60, 75, 90, 98]
SHOWN = [100] * 5


def predict(x: np.ndarray, threshold: float, width: float, guess: float, lapse: float, function: str) -> np.ndarray:
    """Written anew: F is 1/2 at the threshold, and goes from .05 to .95 over the width."""
    from scipy.stats import logistic, norm

    if function in ("gumbel", "weibull"):
        if function == "weibull":
            x, threshold = np.log(x), math.log(threshold)
        slope = (math.log(-math.log(0.05)) - math.log(-math.log(0.95))) / width
        share = 1 - 0.5 ** np.exp(slope * (x - threshold))
    else:
        law = logistic if function == "logit" else norm
        share = law.cdf((law.ppf(0.95) - law.ppf(0.05)) / width * (x - threshold))
    return guess + (1 - guess - lapse) * share


@pytest.mark.parametrize("lapse", [0.02, "free"])
@pytest.mark.parametrize("function", ["logit", "probit", "gumbel", "weibull"])
def test_the_likelihood_is_the_largest(function: str, lapse: float | str) -> None:
    from scipy.optimize import minimize

    x = np.exp(LEVELS / 3) if function == "weibull" else LEVELS
    right, shown = np.array([50, 61, 75, 88, 93]), np.array(SHOWN)

    def lose(values: np.ndarray) -> float:
        p = predict(x, values[0], math.exp(values[1]), 0.5, values[2] if lapse == "free" else 0.02, function)
        p = np.clip(p, 1e-12, 1 - 1e-12)
        return -float((right * np.log(p) + (shown - right) * np.log(1 - p)).sum())

    starts = [[x.mean(), width, 0.05] for width in (-0.5, 0.5, 1.5)]
    bounds = [(x.min() / 2 + 0.01, x.max() * 2), (-3, 4), (0, 0.5)]
    found = [minimize(lose, start, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14}) for start in starts]
    best = min(found, key=lambda each: each.fun)
    fit = fit_psychometric(x, right, shown, function, 0.5, lapse)  # type: ignore[arg-type]
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-6)
    assert fit.threshold == pytest.approx(best.x[0], abs=2e-3)
    assert fit.width == pytest.approx(math.exp(best.x[1]), rel=5e-3)
    if lapse == "free":
        assert fit.lapse == pytest.approx(best.x[2], abs=2e-3)
    np.testing.assert_allclose(
        fit.predict(x), predict(x, fit.threshold, fit.width, 0.5, fit.lapse, function), atol=1e-12
    )
    share = right / shown
    deviance = 2 * (
        right * np.log(share / fit.predict(x)) + (shown - right) * np.log((1 - share) / (1 - fit.predict(x)))
    )
    assert fit.deviance == pytest.approx(deviance.sum())


# psignifit 4.3 (GPL-3, run apart): psignifit(data, sigmoid=..., experiment_type="2AFC", fixed_parameters={
# "lambda": .02, "eta": 0.}, priors={"threshold": flat, "width": flat}, bounds={"threshold": (-4, 8),
# "width": (.05, 20)}), flat = lambda x: np.ones_like(x); parameter_estimate
PSIGNIFIT = {"logit": (1.92767, 3.53944), "probit": (1.92370, 3.40253), "gumbel": (2.03013, 3.96637)}


@pytest.mark.parametrize("function", PSIGNIFIT)
def test_threshold_and_width_are_psignifits(function: str) -> None:
    fit = fit_psychometric(LEVELS, RIGHT, SHOWN, function, 0.5, 0.02)
    assert (fit.threshold, fit.width) == pytest.approx(PSIGNIFIT[function], rel=2e-4)


def test_functions_are_those_that_observers_are_simulated_by() -> None:
    logit = fit_psychometric(LEVELS, RIGHT, SHOWN, "logistic")
    slope = 2 * math.log(19) / logit.width
    np.testing.assert_allclose(
        logit.predict(LEVELS), psychometric(LEVELS, logit.threshold, slope, 0.5, 0.02, function="logistic")
    )
    assert fit_psychometric(LEVELS, RIGHT, SHOWN, "normal") == fit_psychometric(LEVELS, RIGHT, SHOWN, "probit")


def test_threshold_by_another_criterion() -> None:
    fit = fit_psychometric(np.exp(LEVELS), RIGHT, SHOWN, "weibull")
    level = fit.find_level(0.75)
    assert float(fit.predict(level)) == pytest.approx(0.75)
    assert fit.find_level((0.5 + 0.98) / 2) == pytest.approx(fit.threshold)
    with pytest.raises(InputError, match=r"between 0\.5 and 0\.98"):
        fit.find_level(0.99)


def test_falling_levels_by_their_negative() -> None:
    up = fit_psychometric(LEVELS, RIGHT, SHOWN)
    down = fit_psychometric(-LEVELS[::-1], RIGHT, SHOWN)
    assert down.threshold + 4 == pytest.approx(up.threshold)


def test_what_cannot_be_told_is_said() -> None:
    perfect = fit_psychometric(LEVELS, SHOWN, SHOWN)
    assert math.isnan(perfect.threshold)
    assert "all answers are right" in perfect.warnings[0]
    assert "all answers are wrong" in fit_psychometric(LEVELS, [0] * 5, SHOWN, guess=0.0).warnings[0]
    step = fit_psychometric(LEVELS, [50, 50, 100, 100, 100], SHOWN, lapse=0.0)
    assert 1 < step.threshold < 2
    assert "change in one step" in step.warnings[0]
    flat = fit_psychometric(LEVELS, [50, 51, 49, 50, 52], SHOWN)
    assert any("outside the levels" in warning for warning in flat.warnings)
    assert any(
        "at its bound, 0" in warning for warning in fit_psychometric(LEVELS, RIGHT, SHOWN, lapse="free").warnings
    )
    assert not fit_psychometric(LEVELS, RIGHT, SHOWN).warnings


def test_weak_priors_are_those_stated() -> None:
    from scipy.optimize import minimize
    from scipy.stats import beta, norm

    right, shown = np.array([5, 6, 9, 10, 9]), np.array([10] * 5)

    def lose(values: np.ndarray) -> float:
        p = np.clip(predict(LEVELS, values[0], math.exp(values[1]), 0.5, values[2], "logit"), 1e-12, 1 - 1e-12)
        value = (right * np.log(p) + (shown - right) * np.log(1 - p)).sum()
        value += norm.logpdf(values[0], 2, 4) + norm.logpdf(values[1], math.log(2), 1) + beta.logpdf(values[2], 1, 10)
        return -float(value)

    best = minimize(
        lose, [2, 0.5, 0.02], bounds=[(-4, 8), (-3, 4), (0, 0.5)], method="L-BFGS-B", options={"ftol": 1e-14}
    )
    fit = fit_psychometric(LEVELS, right, shown, lapse="free", prior="weak")
    assert fit.threshold == pytest.approx(best.x[0], abs=2e-3)
    assert fit.lapse == pytest.approx(best.x[2], abs=2e-3)


def test_one_lapse_rate_for_two_conditions() -> None:
    right = [[51, 62, 80, 92, 95], [50, 52, 66, 85, 93]]
    fits = fit_psychometrics([LEVELS] * 2, right, [SHOWN] * 2)
    assert fits[0].lapse == fits[1].lapse
    assert fits[0].threshold < fits[1].threshold
    around = [
        sum(fit_psychometric(LEVELS, each, SHOWN, lapse=fits[0].lapse + step).log_likelihood for each in right)
        for step in (-0.005, 0.0, 0.005)
    ]
    assert around[1] == max(around)


def test_draws_of_a_shared_lapse_rate_are_fitted_as_the_answers_are() -> None:
    right = [[51, 62, 80, 92, 95], [50, 52, 66, 85, 93]]
    fits = fit_psychometrics([LEVELS] * 2, right, [SHOWN] * 2)
    drawn = bootstrap_psychometrics(fits, [LEVELS] * 2, right, [SHOWN] * 2, n_draws=30, seed=3)
    np.testing.assert_array_equal(drawn[0].lapse, drawn[1].lapse)
    rng = make_generator(3, "bootstrap", "psychometrics")
    draws = [rng.binomial(100, np.array(each) / 100, (30, 5)) for each in right]
    for place in range(4):
        alone = fit_psychometrics([LEVELS] * 2, [each[place] for each in draws], [SHOWN] * 2)
        assert drawn[0].lapse[place] == pytest.approx(alone[0].lapse, abs=2e-3)
        assert drawn[1].threshold[place] == pytest.approx(alone[1].threshold, abs=0.02)


def test_levels_of_draws_at_another_criterion() -> None:
    fit = fit_psychometric(LEVELS, RIGHT, SHOWN)
    drawn = bootstrap_psychometric(fit, LEVELS, RIGHT, SHOWN, n_draws=20)
    middle = drawn.find_levels(fit, (0.5 + 0.98) / 2)
    np.testing.assert_allclose(middle, drawn.threshold)
    higher = drawn.find_levels(fit, 0.9)
    assert (higher > middle).all()
    slope = 2 * math.log(19) / drawn.width[0]
    share = psychometric(higher[0], drawn.threshold[0], slope, 0.5, drawn.lapse[0], function="logistic")
    assert float(share) == pytest.approx(0.9)
    assert np.isnan(drawn.find_levels(fit, 0.99)).all()


def test_bootstrap_and_goodness_of_fit() -> None:
    fit = fit_psychometric(LEVELS, RIGHT, SHOWN)
    drawn = bootstrap_psychometric(fit, LEVELS, RIGHT, SHOWN, n_draws=400)
    low, high = drawn.interval()
    assert low < fit.threshold < high
    assert 0.3 < high - low < 1.0
    assert drawn.p > 0.1
    odd = [100, 55, 60, 98, 52]
    assert bootstrap_psychometric(fit_psychometric(LEVELS, odd, SHOWN), LEVELS, odd, SHOWN, n_draws=200).p < 0.01


def test_bad_input() -> None:
    for arguments, message in (
        ((LEVELS, RIGHT, [100] * 4), "of one length"),
        ((LEVELS, [101, 0, 0, 0, 0], SHOWN), "right answers from 0 to their number"),
        (([1, 1], [1, 2], [3, 3]), "at least two levels"),
        ((LEVELS, RIGHT, SHOWN, "weibull"), "levels above 0 for weibull"),
        ((LEVELS, RIGHT, SHOWN, "logit", 0.6, 0.5), "below 1 together"),
        ((LEVELS, RIGHT, SHOWN, "logit", 0.5, "shared"), "a lapse rate, or free"),
    ):
        with pytest.raises(InputError, match=message):
            fit_psychometric(*arguments)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        fit_psychometric(LEVELS, RIGHT, SHOWN, "logits")


@pytest.mark.slow
def test_intervals_of_the_threshold_cover() -> None:
    rng = np.random.default_rng(0)
    truth = predict(LEVELS, 2.0, 3.0, 0.5, 0.02, "logit")
    inside = 0
    for seed in range(300):
        right = rng.binomial(60, truth)
        fit = fit_psychometric(LEVELS, right, [60] * 5)
        low, high = bootstrap_psychometric(
            fit, LEVELS, right, [60] * 5, n_draws=300, parametric=True, seed=seed
        ).interval()
        inside += low <= 2.0 <= high
    assert 0.9 <= inside / 300 <= 0.98
