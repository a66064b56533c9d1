"""Clusters over the times of an RSA."""

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.analysis import analyze_rsa, find_time_clusters, make_result
from beholder.recordings import Recordings

IDS = [f"s{i}" for i in range(10)]


def test_a_layer_that_the_brain_is_like_for_some_time_has_a_cluster_then():
    generator = np.random.default_rng(0)
    layers = {"a": generator.standard_normal((10, 20)), "b": generator.standard_normal((10, 20))}
    values = generator.standard_normal((10, 48, 1, 6))
    values[..., 0, 2:4] += np.tile(layers["b"][:, :8], 6)[:, :, None] * 3
    units = {"subject": np.repeat([f"p{i}" for i in range(6)], 8), "region": ["IT"] * 48}
    brain = Recordings(values, IDS, units, times=[-0.1, 0, 0.1, 0.2, 0.3, 0.4])
    result = analyze_rsa(layers, brain, stimulus_ids=IDS, n_draws=20, n_permutations=20)
    found = [each for each in find_time_clusters(result) if each.layer == "b" and each.p < 0.05]
    assert [(each.target, each.start, each.stop, each.n) for each in found] == [("IT", 0.1, 0.2, 6)]
    assert found[0].p == found[0].smallest_p == 1 / 32 and found[0].estimate > 0.3


def test_a_result_without_times_is_refused():
    rows = [{"statistic": "comparison", "layer": "a", "target": "IT", "subject": "p", "estimate": 0.1}]
    with pytest.raises(InputError, match="recordings with times"):
        find_time_clusters(make_result("rsa", rows, {"method": "spearman"}))
