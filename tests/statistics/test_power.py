from typing import Any

import numpy as np
import pytest
from scipy import stats

from beholder._core.errors import InputError, UnknownNameError
from beholder.statistics import Effect, compute_power, plan_power, simulate_power

ALIKE: Any = {"participant_sd": 0.0, "effect_sd": 0.0, "item_sd": 0.0}


def test_without_differences_between_people_and_stimuli_it_is_the_t_test_of_the_books():
    n, k = 12, 25
    effect = Effect(0.6, 0.7, **ALIKE)
    se = np.sqrt((0.6 * 0.4 + 0.7 * 0.3) / (n * k))
    design: Any
    for design, df in (("within", n - 1), ("between", 2 * n - 2)):
        made = compute_power(Effect(0.6, 0.7, design=design, **ALIKE), n, k)
        critical = stats.t.ppf(0.975, df)
        expected = stats.nct.sf(critical, df, 0.1 / se) + stats.nct.cdf(-critical, df, 0.1 / se)
        assert made == pytest.approx(expected, rel=1e-9)
    assert effect.logit_sds == (0.0, 0.0, 0.0)


def test_numbers_of_the_mixed_model_give_the_shares_and_deviations_asked_for():
    effect = Effect(0.7, 0.8, participant_sd=0.1, effect_sd=0.05, item_sd=0.12)
    (s_u, s_e, s_w), (a_1, a_2) = effect.logit_sds, effect.intercepts
    rng = np.random.default_rng(0)
    u, e, w = rng.standard_normal((3, 2_000_000))
    one, two = (1 / (1 + np.exp(-(a + s_u * u + sign * s_e * e / 2 + s_w * w))) for a, sign in ((a_1, -1), (a_2, 1)))
    assert one.mean() == pytest.approx(0.7, abs=1e-3)
    assert two.mean() == pytest.approx(0.8, abs=1e-3)
    middle = 1 / (1 + np.exp(-(np.log(3) * 1.06 + s_u * u)))
    assert middle.std() == pytest.approx(0.1, abs=0.002)


def test_parts_of_the_variance_are_those_of_drawn_answers():
    effect = Effect(0.65, 0.8, participant_sd=0.1, effect_sd=0.08, item_sd=0.15)
    (s_u, s_e, s_w), (a_1, a_2) = effect.logit_sds, effect.intercepts
    rng = np.random.default_rng(1)
    n = 1500
    u, e, w = rng.standard_normal((3, n))
    tables = [
        1 / (1 + np.exp(-(a + (s_u * u + sign * s_e * e / 2)[:, None] + s_w * w[None])))
        for a, sign in ((a_1, -1), (a_2, 1))
    ]
    part = effect.variances
    people = (tables[1] - tables[0]).mean(axis=1).var()
    items = sum(table.mean(axis=0).var() for table in tables)
    total = sum(p * (1 - p) for p in (0.65, 0.8))
    assert people == pytest.approx(part["participants"], rel=0.1)
    assert items == pytest.approx(part["items"], rel=0.1)
    spread = sum(table.mean(axis=1).var() for table in tables)
    assert part["residual"] == pytest.approx(total - items - spread, rel=0.02)


@pytest.mark.parametrize("design", ["within", "between"])
@pytest.mark.parametrize("items", ["shared", "separate"])
def test_approximation_agrees_with_drawn_experiments(design, items):
    effect = Effect(0.7, 0.82, participant_sd=0.08, effect_sd=0.06, item_sd=0.12, design=design, items=items)
    for n, k, q in ((12, 20, None), (16, 12, 50)):
        computed = compute_power(effect, n, k, n_items=q)
        drawn = simulate_power(effect, n, k, n_items=q, n_simulations=800, seed=n)
        assert computed == pytest.approx(drawn, abs=0.05)
    nothing = Effect(0.75, 0.75, participant_sd=0.08, item_sd=0.12, design=design, items=items)
    assert simulate_power(nothing, 12, 20, n_simulations=800) < 0.075


def test_taking_stimuli_for_all_there_are_would_find_effects_that_are_not_there():
    """Why conditions with their own stimuli are tested over stimuli too."""
    rng = np.random.default_rng(2)
    effect = Effect(0.75, 0.75, item_sd=0.15, items="separate")
    from beholder.statistics._power_draws import draw_experiment

    wrong = 0
    for _ in range(300):
        answers, _ = draw_experiment(effect, 30, 20, 20, rng)
        wrong += stats.ttest_rel(answers[0].mean(axis=1), answers[1].mean(axis=1)).pvalue < 0.05
    assert wrong / 300 > 0.2
    assert simulate_power(effect, 30, 20, n_simulations=300) < 0.06


def test_more_of_everything_is_never_less_power():
    effect = Effect(0.7, 0.78)
    powers = [compute_power(effect, n, 20) for n in (5, 10, 20, 40, 80, 400, 4000)]
    assert powers == sorted(powers)
    assert powers[-1] == pytest.approx(1, abs=1e-6)
    assert compute_power(effect, 10, 40) > compute_power(effect, 10, 20)
    few = Effect(0.7, 0.78, items="separate")
    assert compute_power(few, 4000, 10, n_items=10) < 0.5  # ten stimuli stay ten


def test_recommended_numbers_are_the_least_that_reach_the_target():
    made = plan_power(Effect(0.7, 0.8), [10, 40], target=0.9, n_simulations=400)
    for row in made.recommended:
        n, k = row["n_participants"], row["n_trials"]
        assert compute_power(made.effect, n, k) == row["power"] >= 0.9
        assert compute_power(made.effect, n - 1, k) < 0.9
        assert row["power_simulated"] == pytest.approx(row["power"], abs=0.06)
    assert made.recommended[0]["n_participants"] > made.recommended[1]["n_participants"]
    table = made.to_pandas()
    assert list(table) == ["n_participants", "n_trials", "power"]
    assert "participants x trials" in repr(made)
    none = plan_power(Effect(0.7, 0.75, items="separate"), [10], n_simulations=0)
    assert none.recommended[0]["n_participants"] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Effect(0.0, 0.5), "proportion_1"),
        (lambda: Effect(0.5, 0.6, participant_sd=0.49), "participant_sd"),
        (lambda: compute_power(Effect(0.5, 0.6), 1, 10), "2 participants"),
        (lambda: compute_power(Effect(0.5, 0.6), 10, 10, n_items=15), "20 stimuli"),
        (lambda: plan_power(Effect(0.5, 0.5), [10]), "differ"),
        (lambda: plan_power(Effect(0.5, 0.6), [10], target=0.01), "power between"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
    with pytest.raises(UnknownNameError, match="within"):
        Effect(0.5, 0.6, design="wihtin")  # type: ignore[arg-type]


def test_old_names_of_proportions_work_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match=r"'share_1' of Effect\(\) is now called 'proportion_1'"):
        made = Effect(share_1=0.6, proportion_2=0.7)  # type: ignore[call-arg]
    assert made == Effect(0.6, 0.7)
    with pytest.warns(DeprecationWarning, match=r"Effect\.share_2 is now called proportion_2"):
        assert made.share_2 == 0.7  # type: ignore[attr-defined]
