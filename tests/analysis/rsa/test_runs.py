"""Runs of repeats reach the distance that is validated between them."""

import numpy as np

from beholder.analysis import analyze_rsa, compute_crossnobis_rdm, compute_residuals, estimate_precision
from beholder.analysis.rsa._targets import make_targets
from beholder.recordings import Recordings

IDS = ["a", "b", "c", "d"]


def test_repeats_of_one_run_are_not_validated_with_each_other_where_runs_differ_by_stimulus():
    generator = np.random.default_rng(0)
    values = generator.standard_normal((4, 5, 4))
    runs = np.array([["1", "1", "2", "2"], ["1", "2", "2", "3"], ["3", "3", "1", "1"], ["1", "2", "3", "3"]])
    brain = Recordings(values, IDS, runs=runs)
    order = np.array([2, 0, 3, 1])
    found = make_targets(brain, order, [IDS[i] for i in order], by=("region",), distance="crossnobis").found[0].rdms[0]
    rows, conditions = values[order].transpose(0, 2, 1).reshape(16, 5), np.repeat(np.arange(4), 4)
    residuals, dof = compute_residuals(rows, conditions)
    precision = estimate_precision(residuals, dof=dof)
    expected = compute_crossnobis_rdm(rows, conditions, runs[order].reshape(-1), precision)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    layers = {"l": generator.standard_normal((4, 6))}
    analyze_rsa(layers, brain, recorded_distance="crossnobis", stimulus_ids=IDS, n_draws=5, n_permutations=5)
