"""A circular variable decoded from layers, and its bias towards a reference."""

from typing import Any

import numpy as np
import pytest

import beholder as bh
from beholder import InputError
from beholder.statistics import decode_circular

IDS = [f"s{i}" for i in range(60)]
SHOWN = np.random.default_rng(0).uniform(0, 180, 60)
BEFORE = np.random.default_rng(1).uniform(0, 180, 60)


def respond(angles: np.ndarray, noise: float = 0.2, seed: int = 2) -> np.ndarray:
    tuned = np.cos(2 * np.pi * (angles[:, None] - np.arange(0, 180, 20)) / 180)
    return tuned + noise * np.random.default_rng(seed).normal(size=tuned.shape)


def decode(layers: Any, **asked: Any) -> Any:
    given: dict[str, Any] = {"period": 180, "stimulus_ids": IDS, "n_permutations": 20}
    return bh.analyze_decode(layers, SHOWN, **(given | asked))


def pick(result: Any, statistic: str) -> Any:
    return result.table[result.table.statistic == statistic].set_index("layer")


def test_a_layer_with_the_orientation_is_told_from_noise() -> None:
    result = decode({"noise": np.random.default_rng(3).normal(size=(60, 9)), "v1": respond(SHOWN)})
    errors = pick(result, "circular-error")
    assert errors.estimate["v1"] < 10 < 35 < errors.estimate["noise"]
    assert (errors.p["v1"], errors.p_of_all_layers["v1"]) == (1 / 21, 1 / 21)
    assert errors.p["noise"] > 0.05
    assert 35 < errors.chance["v1"] < 55
    assert result.kind == "decode-circular"
    assert "labels is decoded with a mean absolute error of noise" in result.sentences()[0]
    apart = np.abs((result.arrays["decoded"][1] - SHOWN + 90) % 180 - 90)
    assert errors.estimate["v1"] == pytest.approx(apart.mean())


def test_what_is_pulled_to_the_reference_is_attracted_and_what_is_pushed_repelled() -> None:
    towards = np.sign((BEFORE - SHOWN + 90) % 180 - 90)
    layers = {"attracted": respond(SHOWN + 8 * towards), "repelled": respond(SHOWN - 8 * towards, seed=4)}
    result = decode(layers | {"plain": respond(SHOWN, seed=5)}, reference=BEFORE)
    biases = pick(result, "circular-bias")
    assert biases.low["attracted"] > 3
    assert biases.high["repelled"] < -3
    assert abs(biases.estimate["plain"]) < 2
    assert (biases.p_of_all_layers[["attracted", "repelled"]] < 0.01).all()
    assert "above 0 attraction, below 0 repulsion" in result.sentences()[1]
    assert "Fischer & Whitney" in result.methods()
    assert biases.n["plain"] == 60


def test_orders_are_decoded_as_if_alone() -> None:
    features, folds = respond(SHOWN), np.arange(60) % 5
    both = decode_circular(features, np.stack([SHOWN, BEFORE]), 180, folds)
    np.testing.assert_allclose(both, [decode_circular(features, each, 180, folds) for each in (SHOWN, BEFORE)])
    left_out = np.arange(60) < 7
    found = decode_circular(features, SHOWN, 180, folds, left_out=left_out)
    test = folds == 2
    kept = ~left_out | test
    alone = decode_circular(features[kept], SHOWN[kept], 180, folds[kept] == 2)
    np.testing.assert_allclose(found[test], alone[test[kept]])


def test_bad_days() -> None:
    acts = {"v1": respond(SHOWN)}
    with pytest.raises(InputError, match=r"values within one period; got .* with a period of 90"):
        decode(acts, period=90)
    for beside in ({"across": np.arange(60) % 2}, {"classifier": "lda"}):
        with pytest.raises(InputError, match="a circular variable, decoded by ridge regression"):
            decode(acts, **beside)
    with pytest.raises(InputError, match="a reference with the period"):
        decode(acts, period=None, reference=BEFORE)
    with pytest.raises(InputError, match="labels that are numbers"):
        bh.analyze_decode(acts, np.repeat(["a", "b", "c"], 20), period=180, stimulus_ids=IDS)
    with pytest.raises(InputError, match="five stimuli or more whose reference"):
        decode(acts, reference=np.where(np.arange(60) < 4, BEFORE, np.nan))
    with pytest.raises(InputError, match="2 to 60 folds of 60 stimuli"):
        decode(acts, n_folds=61)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.8, 30.0])
def test_calibration(noise: float) -> None:
    """Where there is no bias and nothing to decode p < .05 in 1 to 10 %; intervals cover."""
    rows = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        shown, before = generator.uniform(0, 180, (2, 40))
        ids = [f"s{i}" for i in range(40)]
        result: Any = bh.analyze_decode(
            {"a": respond(shown, noise, seed)}, shown, period=180, reference=before, stimulus_ids=ids,
            n_permutations=40, seed=seed,
        )  # fmt: skip
        rows.append(result.table[["estimate", "low", "high", "p"]].to_numpy(dtype=float))
    errors, biases = np.array(rows).transpose(1, 2, 0)
    if noise > 1:
        assert 0.01 <= (errors[3] < 0.05).mean() <= 0.1
    assert 0.01 <= (biases[3] < 0.05).mean() <= 0.1
    assert ((biases[1] <= 0) & (biases[2] >= 0)).mean() >= 0.9  # wide where nothing is decoded
    truth = errors[0].mean()
    assert 0.9 <= ((errors[1] <= truth) & (truth <= errors[2])).mean() <= 0.99
