"""Clusters over the times of an RSA."""

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.analysis import RESULT_KINDS, analyze_rsa, find_time_clusters, make_result
from beholder.analysis.rsa._times import gather_moments
from beholder.figures import find_overlaps
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
    (row,) = result.table.query("statistic == 'cluster over time' and layer == 'b' and p < 0.05").to_dict("records")
    assert (row["target"], row["time"], row["stop"], row["estimate"]) == ("IT", 0.1, 0.2, found[0].estimate)
    assert "at 100 to 200 ms (p = .031), corrected for all moments; n = 6 people" in result.sentences()[0]
    assert "Maris" in result.methods() and result.plot().get_title(loc="left") == "IT"
    drawing = next(RESULT_KINDS["rsa"].draw(result))
    assert drawing.name == "times" and find_overlaps(drawing.figure) == []
    bars = [line for line in drawing.figure.axes[0].lines if line.get_linewidth() == 2.5]
    assert np.allclose(bars[-1].get_xdata(), [50, 250])  # ms, half a step beyond each end


def test_a_result_without_times_is_refused():
    rows = [{"statistic": "comparison", "layer": "a", "target": "IT", "subject": "p", "estimate": 0.1}]
    with pytest.raises(InputError, match="recordings with times"):
        find_time_clusters(make_result("rsa", rows, {"method": "spearman"}))


def test_one_person_has_no_clusters_and_a_note_says_so():
    values = np.random.default_rng(1).standard_normal((10, 8, 1, 3))
    brain = Recordings(values, IDS, {"subject": ["p"] * 8, "region": ["IT"] * 8}, times=[0, 0.1, 0.2])
    layers = {"a": values[:, :, 0, 1]}
    result = analyze_rsa(layers, brain, stimulus_ids=IDS, n_draws=5, n_permutations=5)
    assert "No clusters over time: 1 person at IT." in result.warnings
    assert not len(result.table.query("statistic == 'cluster over time'"))
    with pytest.raises(InputError, match="1 person at IT"):
        find_time_clusters(result)


def test_notes_of_many_moments_are_one():
    values = np.random.default_rng(2).standard_normal((10, 8, 1, 4))
    brain = Recordings(values, IDS, {"subject": ["p", "q"] * 4, "region": ["IT"] * 8}, times=[0, 0.1, 0.2, 0.3])
    result = analyze_rsa({"a": values[:, :, 0, 1]}, brain, stimulus_ids=IDS, n_draws=5, n_permutations=19)
    (note,) = [each for each in result.warnings if "smallest p of a test over people" in each]
    assert note.startswith("IT at 4 of 4 moments, first 0 ms: With 2 people") or note.startswith("With 2 people")
    assert gather_moments(["IT: constant.", "one", "one"], []) == ["IT: constant.", "one"]
