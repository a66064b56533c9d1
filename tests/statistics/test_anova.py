"""Analysis of variance against published tables, base R and formulas."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from beholder import InputError
from beholder.statistics import fit_anova, permute_mixed_anova

PUBLISHED = {
    "CORnet-S": "VisionExperiment1_network_vs_humans_datamatrix_cornet_s_public.mat",
    "VGG-19": "VisionExperiment1_network_vs_humans_datamatrix_vgg_19_public.mat",
    "CochResNet50": "AudioExperiment1_network_vs_humans_datamatrix_cochresnet50_public.mat",
}
LINES = {
    "network_or_human": "observer",
    "(Intercept):layer": "stage",
    "network_or_human:layer": "observer:stage",
}


def read_matrix(folder: Path, name: str) -> tuple[np.ndarray, list[str]]:
    import scipy.io

    both = scipy.io.loadmat(str(folder / "human_recognition" / PUBLISHED[name]))["participant_data_matrix"]
    return np.concatenate([both[:, :, 0], both[:, :, 1]]), ["human"] * len(both) + ["network"] * len(both)


def read_published(folder: Path, name: str) -> dict[str, list[str]]:
    """The table's lines as they are printed."""
    text = (folder / "human_recognition" / "published_anova.txt").read_text()
    block = text[text.index(f"EXP1 - {name} (Standard) Full ANOVA") :].split("F(observer)")[0]
    return {
        LINES[line.split()[0]]: line.split()[1:]
        for line in block.splitlines()
        if line.split()[:1] and line.split()[0] in LINES
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_tables_to_every_printed_digit(shared_data: Path, name: str) -> None:
    values, observers = read_matrix(shared_data, name)
    found = fit_anova(values, within=["stage"], between={"observer": observers})
    for effect, printed in read_published(shared_data, name).items():
        line = found[effect]
        numbers = [line.sum_sq, line.df_1, line.sum_sq / line.df_1, line.F, line.p, line.p_gg, line.p_hf, line.p_lb,
                   line.partial_eta_squared]  # fmt: skip
        assert len(printed) == len(numbers)
        for text, number in zip(printed, numbers, strict=True):
            digits = len(re.sub(r"e.*|\.|^0\.0*", "", text))
            assert f"{number:.{digits - 1}e}" == f"{float(text):.{digits - 1}e}", (effect, text)


def test_published_permutations_are_as_small_as_they_can_be(shared_data: Path) -> None:
    values, observers = read_matrix(shared_data, "CORnet-S")
    assert permute_mixed_anova(values, observers, n_permutations=999) == (1 / 1000, 1 / 1000)


GROUPS = ["a", "a", "a", "b", "b"]
UNEQUAL = np.array([[3, 5, 9], [2, 4, 5], [4, 7, 6], [6, 5, 7], [8, 6, 9.0]])


def test_unequal_groups_against_r() -> None:
    """options(contrasts = c("contr.sum", "contr.poly")); library(car)
    m <- lm(cbind(s1, s2, s3) ~ g); summary(Anova(m, idata = data.frame(s = factor(1:3)), idesign = ~s, type = 3),
    multivariate = FALSE)"""
    found = fit_anova(UNEQUAL, within=["stage"], between={"group": GROUPS})
    table = {name: (line.sum_sq, line.error_sum_sq, line.df_1, line.df_2) for name, line in found.items()}
    expected = unweighted_means(UNEQUAL, GROUPS)
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-10, err_msg=name)


def unweighted_means(values: np.ndarray, groups: list[str]) -> dict[str, tuple[float, float, float, float]]:
    """Type III in closed form for one factor of two groups: each group's mean counts the same."""
    parts = [values[[label == name for label in groups]] for name in dict.fromkeys(groups)]
    n, k = len(values), values.shape[1]
    harmonic = 1 / sum(1 / len(part) for part in parts)
    people = [part.mean(axis=1) for part in parts]
    error = k * sum(((each - each.mean()) ** 2).sum() for each in people)
    centred = [part - part.mean(axis=1, keepdims=True) for part in parts]
    error_within = sum(((part - part.mean(axis=0)) ** 2).sum() for part in centred)
    stages = [part.mean(axis=0) for part in centred]
    return {
        "group": (k * harmonic * (people[0].mean() - people[1].mean()) ** 2, error, 1, n - 2),
        "stage": (harmonic * ((stages[0] + stages[1]) ** 2).sum(), error_within, k - 1, (n - 2) * (k - 1)),
        "group:stage": (harmonic * ((stages[0] - stages[1]) ** 2).sum(), error_within, k - 1, (n - 2) * (k - 1)),
    }


def test_one_way_is_scipys() -> None:
    from scipy.stats import f_oneway

    rng = np.random.default_rng(0)
    parts = [rng.normal(size=n) for n in (4, 6, 9)]
    labels = [name for name, part in zip("abc", parts, strict=True) for _ in part]
    found = fit_anova(np.concatenate(parts), between={"group": labels})["group"]
    expected = f_oneway(*parts)
    assert (found.F, found.p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert found.p_gg == found.p_hf == found.p
    assert np.isnan(found.mauchly_w)


def test_two_way_of_type_three_against_comparing_models() -> None:
    rng = np.random.default_rng(1)
    a, b = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1]), np.array([0, 0, 1, 2, 0, 1, 1, 2, 2])
    y = rng.normal(size=9)
    found = fit_anova(y, between={"a": list(a), "b": list(b)})
    code_a = np.where(a == 0, 1.0, -1.0)[:, None]
    code_b = np.array([[1, 0], [0, 1], [-1, -1.0]])[b]
    blocks = {"a": code_a, "b": code_b, "a:b": code_a * code_b}

    def residual(names: list[str]) -> float:
        design = np.concatenate([np.ones((9, 1)), *(blocks[name] for name in names)], axis=1)
        return float(np.linalg.lstsq(design, y, rcond=None)[1][0])

    whole = residual(list(blocks))
    for name in blocks:
        assert found[name].sum_sq == pytest.approx(residual([other for other in blocks if other != name]) - whole)
        assert found[name].error_sum_sq == pytest.approx(whole)


def test_two_factors_within_by_averages() -> None:
    """The main effect of a within factor is that of the averages over the other, times its number of levels."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=(7, 3, 4))
    found = fit_anova(y, within=["a", "b"])
    alone = fit_anova(y.mean(axis=2), within=["a"])["a"]
    assert pytest.approx(alone.F) == found["a"].F
    assert found["a"].sum_sq == pytest.approx(4 * alone.sum_sq)
    assert found["a"].epsilon_gg == pytest.approx(alone.epsilon_gg)
    assert found["a:b"].df_2 == 36
    assert list(found) == ["a", "b", "a:b"]


def test_two_levels_are_a_paired_t_test() -> None:
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(3)
    y = rng.normal(size=(9, 2))
    found = fit_anova(y, within=["stage"])["stage"]
    expected = ttest_rel(y[:, 0], y[:, 1])
    assert (found.F, found.p) == (pytest.approx(expected.statistic**2), pytest.approx(expected.pvalue))
    assert found.epsilon_gg == found.epsilon_lb == 1


def test_epsilons_and_sphericity_by_their_formulas() -> None:
    """Base R: mauchly.test(lm(cbind(...) ~ 1), X = ~1) gives W and p; epsilons by Box's and Lecoutre's formulas."""
    rng = np.random.default_rng(4)
    y = rng.normal(size=(8, 4)) * [1, 2, 3, 5]
    found = fit_anova(y, within=["stage"])["stage"]
    covariance = np.cov(y.T)
    k, n = 4, 8
    mean = covariance.mean()
    top = k**2 * (np.diag(covariance).mean() - mean) ** 2
    below = (k - 1) * ((covariance**2).sum() - 2 * k * (covariance.mean(axis=0) ** 2).sum() + k**2 * mean**2)
    epsilon = top / below
    assert found.epsilon_gg == pytest.approx(epsilon)
    assert found.epsilon_hf == pytest.approx((n * 3 * epsilon - 2) / (3 * (n - 1 - 3 * epsilon)))
    assert found.epsilon_lb == pytest.approx(1 / 3)
    double = covariance - covariance.mean(axis=0) - covariance.mean(axis=1)[:, None] + mean
    roots = np.sort(np.linalg.eigvalsh(double))[1:]
    w = roots.prod() / roots.mean() ** 3
    assert found.mauchly_w == pytest.approx(w)
    from scipy.stats import chi2

    chi_square = -(n - 1 - (2 * 9 + 3 + 2) / 18) * np.log(w)
    assert found.mauchly_p == pytest.approx(chi2.sf(chi_square, 5))


def test_generalized_eta_squared_counts_all_errors() -> None:
    found = fit_anova(UNEQUAL, within=["stage"], between={"group": GROUPS})
    errors = found["group"].error_sum_sq + found["stage"].error_sum_sq
    for line in found.values():
        assert line.generalized_eta_squared == pytest.approx(line.sum_sq / (line.sum_sq + errors))


def test_permutations_by_enumeration() -> None:
    """All ways to deal 2 of 4 labels: F of the group is as large in 2 of 6, up to chance of the draws."""
    values = np.array([[0.0, 1], [1, 2], [4, 6], [7, 9]])
    p, _ = permute_mixed_anova(values, [0, 0, 1, 1], n_permutations=6000, seed=1)
    assert p == pytest.approx(2 / 6, abs=0.03)


def test_permuted_f_of_the_interaction_is_the_tables() -> None:
    from beholder.statistics._anova import _compute_f

    member = np.array([[label == name for label in GROUPS] for name in "ab"], dtype=float)
    centred = UNEQUAL - UNEQUAL.mean(axis=1, keepdims=True)
    found = _compute_f(centred[None], member[None], member.sum(axis=1))[0]
    assert found == pytest.approx(fit_anova(UNEQUAL, within=["stage"], between={"group": GROUPS})["group:stage"].F)


@pytest.mark.parametrize(
    ("values", "within", "between", "message"),
    [
        ([[1, 2], [3, np.nan]], ["s"], None, "1 participants without, row 1 first"),
        ([[1, 2], [3, 4]], ["s"], {"g": ["a", "b"]}, "more than 2 participants"),
        ([[1, 2], [3, 4]], ["s"], {"g": ["a", "a"]}, "at least two levels of g"),
        ([[1, 2], [3, 4]], ["s"], {"g": ["a"]}, "2 levels of g, one a participant"),
        ([[1], [3]], ["s"], None, "at least two levels of each factor"),
        ([1, 2, 3], ["s"], None, "levels of s"),
        ([1, 2, 3], [], None, "names of factors"),
        ([1, 2, 3, 4.0], [], {"a": [0, 0, 1, 1], "b": [0, 1, 0, 0]}, "none in one of a:b"),
    ],
)
def test_bad_input(values: list[float], within: list[str], between: dict[str, list[str]] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_anova(values, within=within, between=between)


@pytest.mark.slow
def test_permutations_hold_their_level() -> None:
    rng = np.random.default_rng(5)
    found = np.array(
        [permute_mixed_anova(rng.normal(size=(12, 4)), [0, 1] * 6, n_permutations=199, seed=i) for i in range(400)]
    )
    assert ((found < 0.05).mean(axis=0) > 0.02).all()
    assert ((found < 0.05).mean(axis=0) < 0.09).all()


@pytest.mark.slow
def test_corrected_p_hold_their_level_with_crossed_variance() -> None:
    """Proportions of 20 answers of people to stimuli that differ, spread more in later stages: F alone is too large."""
    rng = np.random.default_rng(8)
    found = []
    for _ in range(600):
        spread = rng.normal(size=(12, 5)) * [0.1, 0.2, 0.5, 1.2, 2.0]
        logits = 0.4 + rng.normal(0, 0.5, size=(12, 1)) + spread
        values = rng.binomial(20, 1 / (1 + np.exp(-logits))) / 20
        line = fit_anova(values - values.mean(axis=0), within=["stage"])["stage"]
        assert pytest.approx(0, abs=1e-9) == line.F
        mixed = fit_anova(values, within=["stage"], between={"group": [0, 1] * 6})["group:stage"]
        found.append((mixed.p < 0.05, mixed.p_gg < 0.05))
    uncorrected, corrected = np.mean(found, axis=0)
    assert uncorrected > corrected and 0.02 <= corrected <= 0.075
