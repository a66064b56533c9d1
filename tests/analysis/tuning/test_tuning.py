"""Tuning of units against curves whose answers are known."""

from typing import Any

import numpy as np
import pytest

import beholder as bh
from beholder import InputError
from beholder.analysis import ArrayLayers
from beholder.analysis.tuning._curves import (
    average_by_value,
    compare_contrast,
    find_preferred,
    measure_bandwidth,
    measure_selectivity,
    shuffle_units,
)

ANGLES = np.arange(0, 180, 15.0)


def tune(acts: Any, condition: Any, **asked: Any) -> bh.Result:
    ids = [f"s{i}" for i in range(len(condition))]
    return bh.analyze_tuning(acts, condition, **({"stimulus_ids": ids, "n_permutations": 40} | asked))


def test_a_circular_unit_prefers_what_it_was_built_for() -> None:
    preferred = np.array([0.0, 37.0, 90.0, 172.5])
    curves = 3 + np.cos(2 * np.pi * (ANGLES[:, None] - preferred) / 180)
    np.testing.assert_allclose(find_preferred(ANGLES, curves, 180), preferred, atol=1e-9)
    # A cosine above its minimum, 1 + cos: the vector's length is half of the sum; half height at a quarter period.
    curves = 1 + np.cos(2 * np.pi * (ANGLES[:, None] - [0.0, 90.0]) / 180)
    np.testing.assert_allclose(measure_selectivity(ANGLES, curves, 180), 0.5)
    np.testing.assert_allclose(measure_bandwidth(ANGLES, curves, 180), 90)


def test_a_numeric_unit() -> None:
    values = np.array([0.0, 1, 2, 4, 8])
    curves = np.array([[0.0, 1, 4, 1, 0], [0, 1, 2, 3, 4], [0, 0, 0, 0, 1], [2, 2, 2, 2, 2]]).T
    np.testing.assert_array_equal(find_preferred(values, curves), [2, 8, 8, np.nan])
    width = measure_bandwidth(values, curves)
    assert width[0] == pytest.approx((2 + 2 * 2 / 3) - (1 + 1 / 3))
    assert np.isnan(width[1:]).all()
    np.testing.assert_allclose(measure_selectivity(values, curves)[2:], [1, 0])


def test_variance_between_values_is_that_of_one_way_anova() -> None:
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(0)
    values = np.array([1, 1, 1, 2, 2, 3, 3, 3, 3.0])
    responses = generator.normal(size=(9, 4))
    orders = generator.permuted(np.tile(np.arange(9), (99, 1)), axis=1)
    explained, p, share, shuffled = shuffle_units(responses, values, orders)
    for unit in range(4):
        f = stats.f_oneway(*(responses[values == value, unit] for value in (1, 2, 3))).statistic
        assert explained[unit] == pytest.approx(2 * f / (2 * f + 6))
    assert p.min() >= 0.01
    assert share == (p <= 0.05).mean()
    assert shuffled.mean() == pytest.approx(0.05, abs=0.02)


def test_tuned_units_are_told_from_noise_and_layers_from_each_other() -> None:
    generator = np.random.default_rng(0)
    values = np.tile(ANGLES, 4)
    tuned = np.cos(2 * np.pi * (values[:, None] - generator.uniform(0, 180, 10)) / 180)
    acts = {"noise": generator.normal(size=(48, 30)), "v1": tuned + 0.3 * generator.normal(size=(48, 10))}
    result = tune(acts, values, period=180)
    rows: Any = result.table[result.table["statistic"] == "proportion-tuned"].set_index("layer")
    assert rows.estimate["v1"] == 1
    assert rows.estimate["noise"] < 0.3
    assert (rows.p["v1"], rows.p_of_all_layers["v1"]) == (1 / 41, 1 / 41)
    assert rows.p["noise"] > 0.05
    assert result.arrays["preferred"].shape == (40,)
    assert "100.0 % of 10 units are tuned" in result.sentences()[1]


def test_averaged_replicates_keep_the_clean_exposures_contrast_or_a_line_says_so() -> None:
    curves = 1 + np.cos(2 * np.pi * ANGLES / 180)[:, None]
    np.testing.assert_allclose(compare_contrast(curves, 0.4 * curves + 3), 0.4)
    assert np.isnan(compare_contrast(np.ones((3, 1)), np.ones((3, 1)))).all()

    replicates = np.stack([curves, 0.1 * curves, 0.1 * curves], axis=1)
    layers = ArrayLayers({"v1": curves}, [f"s{i}" for i in range(12)])
    layers._layers["v1"] = replicates
    result = bh.analyze_tuning(layers, ANGLES, period=180)
    kept: Any = result.table[result.table["statistic"] == "contrast-kept"]
    assert kept.estimate.item() == pytest.approx(0.4)
    assert "Averaged over 3 replicates, tuning curves of v1 keep 40.0 % of the clean exposure's contrast" in " ".join(
        result.warnings
    )
    assert "No test was made: each value has one stimulus." in result.warnings


def test_channels_are_units_and_their_maps_are_averaged() -> None:
    values = np.repeat([1.0, 2, 3], 2)
    maps = np.random.default_rng(0).normal(size=(6, 4, 3, 3))
    one, two = tune({"conv": maps}, values), tune({"conv": maps.mean(axis=(2, 3))}, values)
    np.testing.assert_allclose(one.arrays["selectivity"], two.arrays["selectivity"])
    known, curves = average_by_value(maps.mean(axis=(2, 3)), values)
    assert (known.tolist(), curves.shape) == ([1, 2, 3], (3, 4))


def test_bad_days() -> None:
    acts = {"v1": np.random.default_rng(0).normal(size=(6, 2))}
    with pytest.raises(InputError, match=r"a condition of numbers; got .*'red'.*decode"):
        tune(acts, ["red", "blue", "red", "blue", "red", "blue"])
    with pytest.raises(InputError, match="three values of the condition or more; got 2"):
        tune(acts, [1, 2, 1, 2, 1, 2])
    with pytest.raises(InputError, match="values within one period; got 0 to 180 with a period of 180"):
        tune(acts, [0, 36, 72, 108, 144, 180], period=180)
    with pytest.raises(InputError, match="NaN or infinite values in v1"):
        tune({"v1": np.full((6, 2), np.inf)}, [1, 2, 3, 1, 2, 3])
    gaps = tune(acts, [1, 2, 3, 1, 2, None])
    assert "1 of 6 stimuli have no value and were left out." in gaps.warnings
    flat = tune({"v1": np.ones((6, 2))}, [1, 2, 3, 1, 2, 3])
    assert "2 of 2 units of v1 give all values one response." in flat.warnings


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 2.0])
def test_calibration(shared: float) -> None:
    """Shares of units of untuned layers, however much units vary together: p < .05 in 1 to 10 %, 5 % of units tuned."""
    rows = []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        acts = {
            name: generator.normal(size=(36, 20)) + shared * generator.normal(size=(36, 1)) for name in ("a", "b", "c")
        }
        table = tune(acts, np.tile(ANGLES, 3), period=180, n_permutations=60, seed=seed).table
        share = table[table["statistic"] == "proportion-tuned"]
        rows.append([*share[["estimate", "shuffled", "p"]].to_numpy(dtype=float)[0], share["p_of_all_layers"].min()])
    estimate, shuffled, p, smallest = np.array(rows).T
    assert 0.01 <= (p < 0.05).mean() <= 0.1
    assert 0.01 <= (smallest < 0.05).mean() <= 0.1
    assert estimate.mean() == pytest.approx(0.05, abs=0.015)
    assert shuffled.mean() == pytest.approx(0.05, abs=0.01)
