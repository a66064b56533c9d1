"""Logistic mixed models against lme4 and by direct integration."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beholder import InputError
from beholder.statistics import LogisticMixedFit, RandomTerm, compare_fits, fit_logistic_mixed

# set.seed is not needed: the trials are drawn by numpy's default_rng(3) below and written as CSV.
# library(lme4); d <- read.csv("trials.csv")
# m <- glmer(correct ~ condition + (1 | person) + (1 | item), d, family = binomial,
#            control = glmerControl(tolPwrss = 1e-12, optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10)))
# n <- glmer(correct ~ condition + (1 + condition | person) + (1 | item), d, family = binomial, control = ...)
# fixef, sqrt(diag(vcov)), VarCorr, logLik printed with ten digits
CROSSED: dict[str, Any] = {
    "estimate": [0.9329525619, -0.7898732991],
    "se": [0.4796334010, 0.5894196981],
    "sds": [0.6131396337, 1.0063731505],
    "log_likelihood": -100.1964063292,
}
SLOPE: dict[str, Any] = {
    "estimate": [1.0620026837, -0.9216845937],
    "sds": [1.1187498015, 0.8703468745, 1.0500184325],
    "r": -1.0,
    "log_likelihood": -98.89016706292,
}


def draw_trials(n_people: int = 8, n_items: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    person, item = (each.ravel() for each in np.meshgrid(np.arange(n_people), np.arange(n_items), indexing="ij"))
    condition = (item % 2).astype(float)
    logits = 1.0 - 0.8 * condition + 0.7 * rng.normal(size=n_people)[person] + 0.9 * rng.normal(size=n_items)[item]
    logits += 0.6 * rng.normal(size=n_people)[person] * condition
    return (rng.random(len(person)) < 1 / (1 + np.exp(-logits))).astype(int), condition, person, item


def fit(slope: bool = False) -> LogisticMixedFit:
    correct, condition, person, item = draw_trials()
    design = np.stack([np.ones(len(correct)), condition], axis=1)
    people = RandomTerm("person", person, condition if slope else None, "condition" if slope else "")
    return fit_logistic_mixed(correct, design, ["(Intercept)", "condition"], [people, RandomTerm("item", item)])


def test_crossed_intercepts_against_lme4() -> None:
    found = fit()
    np.testing.assert_allclose(found.estimate, CROSSED["estimate"], atol=2e-4)
    np.testing.assert_allclose(found.se, CROSSED["se"], rtol=2e-3)
    np.testing.assert_allclose(list(found.sds.values()), CROSSED["sds"], atol=5e-4)
    assert list(found.sds) == ["person", "item"]
    assert found.log_likelihood == pytest.approx(CROSSED["log_likelihood"], abs=1e-5)


def test_a_slope_against_lme4() -> None:
    found = fit(slope=True)
    np.testing.assert_allclose(found.estimate, SLOPE["estimate"], atol=5e-4)
    np.testing.assert_allclose(list(found.sds.values()), SLOPE["sds"], atol=2e-3)
    assert found.correlations["person"] == pytest.approx(SLOPE["r"], abs=5e-3)
    assert found.log_likelihood == pytest.approx(SLOPE["log_likelihood"], abs=1e-4)
    value, df, p = compare_fits(found, fit())
    assert value == pytest.approx(2 * (SLOPE["log_likelihood"] - CROSSED["log_likelihood"]), abs=1e-3)
    assert df == 2
    assert 0 < p < 1


def test_published_people_against_lme4(shared_data: Path) -> None:
    """People of two data sets are different people; drawings and silhouettes show the same things:
    glmer(correct ~ condition + (1 | participant) + (1 | stimulus), family = binomial), with the control above:
    -1.278657, SE 0.3491534, log-likelihood -1190.99392"""
    import pandas as pd

    parts = []
    for condition in ("edge", "silhouette"):
        for file in sorted((shared_data / "shape_texture" / "human" / condition).glob("*.csv")):
            table = pd.read_csv(file).rename(columns=str.lower)
            parts.append(table.assign(cond=condition, person=condition + table["subj"]))
    trials = pd.concat(parts)
    stimulus = trials["imagename"].str.replace(r"^\d+_[^_]+_[^_]+_[^_]+_", "", regex=True)
    silhouette = (trials["cond"] == "silhouette").to_numpy(dtype=float)
    found = fit_logistic_mixed(
        trials["object_response"] == trials["category"],
        np.stack([np.ones(len(trials)), silhouette], axis=1),
        ["(Intercept)", "silhouette"],
        [RandomTerm("person", pd.factorize(trials["person"])[0]), RandomTerm("stimulus", pd.factorize(stimulus)[0])],
    )
    assert found.estimate[1] == pytest.approx(-1.278657, abs=5e-4)
    assert found.se[1] == pytest.approx(0.3491534, rel=2e-3)
    assert found.log_likelihood == pytest.approx(-1190.99392, abs=1e-3)
    assert found.n_levels == {"person": 20, "stimulus": 160}


def test_the_deviance_of_one_factor_by_integrating_each_level() -> None:
    """Laplace's value for one factor, each level's integral apart, its mode found by a general optimiser."""
    from scipy.optimize import minimize_scalar

    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(6), 12)
    correct = (rng.random(72) < 1 / (1 + np.exp(-rng.normal(size=6)[codes]))).astype(float)
    found = fit_logistic_mixed(correct, np.ones((72, 1)), ["(Intercept)"], [RandomTerm("person", codes)])
    total = 0.0
    for level in range(6):
        y = correct[codes == level]

        def lose(u: float, y: np.ndarray = y) -> float:
            eta = found.estimate[0] + found.sds["person"] * u
            return float((np.logaddexp(0, eta) - y * eta).sum() + u**2 / 2)

        best: Any = minimize_scalar(lose, bracket=(-1, 1), options={"xtol": 1e-12})
        mean = 1 / (1 + math.exp(-(found.estimate[0] + found.sds["person"] * best.x)))
        total += -best.fun - math.log(1 + found.sds["person"] ** 2 * len(y) * mean * (1 - mean)) / 2
    assert found.log_likelihood == pytest.approx(total, abs=1e-7)


def test_people_who_do_not_differ() -> None:
    correct = np.tile([1, 1, 1, 0], 30)
    found = fit_logistic_mixed(
        correct, np.ones((120, 1)), ["(Intercept)"], [RandomTerm("person", np.repeat(np.arange(10), 12))]
    )
    assert found.sds["person"] < 1e-3
    assert "does not differ" in found.warnings[0]
    assert found.estimate[0] == pytest.approx(math.log(3), abs=1e-3)
    assert found.se[0] == pytest.approx(math.sqrt(1 / (120 * 0.75 * 0.25)), rel=1e-2)


def test_separation_is_said() -> None:
    rng = np.random.default_rng(0)
    condition = np.repeat([0.0, 1.0], 40)
    correct = np.where(condition == 1, 1, rng.random(80) < 0.5).astype(int)
    found = fit_logistic_mixed(
        correct, np.stack([np.ones(80), condition], axis=1), ["(Intercept)", "easy"],
        [RandomTerm("person", np.tile(np.arange(8), 10))],
    )  # fmt: skip
    assert any("easy grows without end" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct": [1, 1, 1, 1]}, "only right ones"),
        ({"correct": [1, 0, 2, 1]}, "answers of 0 and 1"),
        ({"design": [[1, 2], [1, 2], [1, 2], [1, 2]]}, "do not follow from each other"),
        ({"design": [[1, 2]]}, "a design"),
        ({"codes": [0, 0, 0, 0]}, "at least two levels of person"),
    ],
)
def test_bad_input(change: dict[str, list[int]], message: str) -> None:
    given = {"correct": [1, 0, 0, 1], "design": [[1, 0], [1, 1], [1, 0], [1, 1]], "codes": [0, 1, 0, 1]} | change
    with pytest.raises(InputError, match=message):
        fit_logistic_mixed(
            np.array(given["correct"]),
            np.array(given["design"]),
            ["a", "b"],
            [RandomTerm("person", np.array(given["codes"]))],
        )
    with pytest.raises(InputError, match="at least one grouping factor"):
        fit_logistic_mixed([1, 0], [[1.0], [1.0]], ["a"], [])


@pytest.mark.slow
def test_tests_hold_their_level_and_intervals_cover_with_crossed_variance() -> None:
    """12 people x 24 stimuli, each in one condition: a plain logit finds effects where there are none."""
    rng = np.random.default_rng(7)
    person, item = (each.ravel() for each in np.meshgrid(np.arange(12), np.arange(24), indexing="ij"))
    condition = (item % 2).astype(float)
    design = np.stack([np.ones(len(item)), condition], axis=1)
    terms = [RandomTerm("person", person), RandomTerm("item", item)]
    wald, ratio, plain, inside = [], [], [], []
    for effect in (0.0, -1.0):
        for _ in range(60):
            logits = 0.8 + effect * condition + 0.6 * rng.normal(size=12)[person] + rng.normal(size=24)[item]
            correct = (rng.random(len(item)) < 1 / (1 + np.exp(-logits))).astype(int)
            found = fit_logistic_mixed(correct, design, ["(Intercept)", "condition"], terms)
            low, high = found.interval("condition")
            inside.append(low <= effect <= high)
            if effect:
                continue
            smaller = fit_logistic_mixed(correct, design[:, :1], ["(Intercept)"], terms)
            wald.append(found.p[1] < 0.05)
            ratio.append(compare_fits(found, smaller)[2] < 0.05)
            counts = [[correct[condition == side].sum(), (1 - correct[condition == side]).sum()] for side in (0, 1)]
            odds = math.log(counts[1][0] * counts[0][1] / (counts[1][1] * counts[0][0]))
            plain.append(abs(odds) > 1.96 * math.sqrt(sum(1 / count for row in counts for count in row)))
    assert np.mean(wald) <= 0.12 and np.mean(ratio) <= 0.12
    assert np.mean(plain) > 0.2
    assert 0.88 <= np.mean(inside) <= 0.99
