"""Clusters over time against MNE's procedure, and their error rate under noise."""

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.statistics._clusters import find_clusters_in_null, flip_clusters, iter_clusters


def make_values():
    values = np.round(np.random.default_rng(0).standard_normal((7, 12)), 2)
    values[:, 3:6] += 1
    values[:, 8:10] -= 1
    return values


def test_all_sign_flips_as_mne_does_them():
    # MNE 1.13.2, values as above:
    # t, clusters, p, h0 = mne.stats.permutation_cluster_1samp_test(
    #     values, n_permutations="all", tail=0, out_type="indices")
    # [(int(k[0][0]), int(k[0][-1]) + 1, float(t[k[0]].sum()), float(q)) for k, q in zip(clusters, p)]
    # Its "all" are 63 of the 64 pairs of flips, so that its p are in 63rds.
    expected = [
        (4, 6, 8.742811061703026, 1 / 63),
        (7, 8, 3.411280659532657, 7 / 63),
        (8, 10, -8.218920376863494, 1 / 63),
    ]
    found = flip_clusters(make_values())
    assert found.is_exact and found.n_permutations == 64 and found.smallest_p == 1 / 64
    assert [(each.start, each.stop) for each in found.clusters] == [each[:2] for each in expected]
    np.testing.assert_allclose([each.mass for each in found.clusters], [each[2] for each in expected])
    np.testing.assert_allclose([each.p for each in found.clusters], [each[3] for each in expected], atol=1 / 64)


def test_random_flips_come_near_all_flips():
    values = np.random.default_rng(1).standard_normal((12, 20)) + 0.4
    exact, drawn = flip_clusters(values), flip_clusters(values, n_permutations=1000)
    assert exact.is_exact and not drawn.is_exact and drawn.n_permutations == 1000
    np.testing.assert_allclose([each.p for each in drawn.clusters], [each.p for each in exact.clusters], atol=0.05)


def test_few_subjects_cannot_reach_a_small_p_and_the_test_says_which():
    values = np.random.default_rng(2).standard_normal((4, 9)) + 9
    found = flip_clusters(values)
    assert found.smallest_p == 1 / 8 and [each.p for each in found.clusters] == [1 / 8]


def test_stretches_on_either_side_are_clusters_of_their_own():
    statistic = np.array([3.0, 3, -3, -3, 0, 2, 2.5])
    assert list(iter_clusters(statistic, 2.0)) == [(0, 2, 6.0), (2, 4, -6.0), (6, 7, 2.5)]
    assert list(iter_clusters(np.zeros(3), 2.0)) == []


def test_a_course_above_what_permuted_stimuli_have():
    generator = np.random.default_rng(3)
    null = generator.standard_normal((199, 20))
    course = generator.standard_normal(20)
    course[5:9] += 30
    found = find_clusters_in_null(course, null)
    assert found.smallest_p == 1 / 200
    strongest = min(found.clusters, key=lambda each: each.p)
    assert (strongest.start, strongest.stop) == (5, 9) and strongest.p == 1 / 200
    assert find_clusters_in_null(-np.abs(course) - 30, null).clusters == ()


def test_times_that_never_vary_are_no_error():
    values = np.zeros((6, 4))
    values[:, 2] = 1
    found = flip_clusters(values)
    assert [(each.start, each.stop, each.p) for each in found.clusters] == [(2, 3, 1 / 32)]


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(InputError, match="two subjects or more"):
        flip_clusters(np.zeros((1, 5)))
    with pytest.raises(InputError, match="1 that are NaN"):
        flip_clusters([[0.0, np.nan], [1, 1]])
    with pytest.raises(InputError, match="19 permutations or more"):
        find_clusters_in_null(np.zeros(5), np.zeros((10, 5)))


@pytest.mark.slow
def test_noise_has_a_cluster_as_often_as_p_says():
    generator = np.random.default_rng(4)

    def make_noise(n):
        return generator.standard_normal((n, 34)).cumsum(axis=1)[:, ::3] / 5

    hits = [0, 0]
    for _ in range(100):
        hits[0] += any(each.p < 0.05 for each in flip_clusters(make_noise(10)).clusters)
        null = make_noise(200)
        hits[1] += any(each.p < 0.05 for each in find_clusters_in_null(null[0], null[1:]).clusters)
    assert all(1 <= each <= 12 for each in hits), hits
