"""Layers as matrices that are never larger than stimuli by stimuli."""

import numpy as np
import pytest

from beholder import InputError
from beholder.analysis import fit_ridge
from beholder.analysis._features import read_features


@pytest.mark.parametrize("max_bytes", [2**30, 1000])
def test_turned_features_give_the_same_regression(max_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beholder.analysis._features._BLOCK_BYTES", 3000)
    generator = np.random.default_rng(0)
    layer = generator.normal(size=(25, 2, 4, 15)) + 100
    plain, y = layer.mean(axis=1).reshape(25, -1), generator.normal(size=(25, 3))
    turned = read_features(layer, max_bytes=max_bytes)
    assert turned.shape == (25, 24)
    train, test = np.arange(15), np.arange(15, 25)
    own, expected = (fit_ridge(x[train], y[train], [10.0, 100.0]).predict(x[test]) for x in (turned, plain))
    np.testing.assert_allclose(own, expected, atol=1e-9)


def test_a_layer_with_fewer_features_than_stimuli_stays_as_it_is() -> None:
    layer = np.random.default_rng(0).normal(size=(10, 1, 3)).astype(np.float16)
    np.testing.assert_array_equal(read_features(layer), layer[:, 0].astype(np.float64))


def test_values_that_mean_nothing_are_refused_with_the_layers_name() -> None:
    with pytest.raises(InputError, match="NaN or infinite values in conv1"):
        read_features(np.full((4, 1, 9), np.nan), "conv1")
    with pytest.raises(InputError, match="conv1, where all stimuli are alike"):
        read_features(np.ones((4, 1, 9)), "conv1")
