"""CKA from sums over tiles: the same as from whole kernels, with and without each stimulus, however it is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.analysis import compute_cka
from beholder.analysis.cka._sums import HeldKernels, StreamedKernels, align_sides, read_kernel

N = 23


def make_sets() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(N, 5))
    first = [np.hstack([3 * shared, rng.normal(size=(N, width))])[:, None] + 5 for width in (3, 40)]
    constant = np.full((N, 1, 3), 0.1)
    return [*first, rng.normal(size=(N, 2, 7)), constant, np.hstack([shared, rng.normal(size=(N, 9))])[:, None]]


def hold(sets: list[np.ndarray]) -> HeldKernels:
    return HeldKernels([read_kernel(each) for each in sets])


def stream(sets: list[np.ndarray]) -> StreamedKernels:
    return StreamedKernels(sets)


def cut_small(sets: list[np.ndarray]) -> StreamedKernels:
    return StreamedKernels(sets, group_bytes=5000, block_bytes=2000, tile_bytes=500)


@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize("make", [hold, stream, cut_small])
def test_every_pair_with_all_stimuli_and_without_each(make: Any, debiased: bool) -> None:
    sets = make_sets()

    def compute(kept: np.ndarray) -> np.ndarray:
        means = [each.mean(axis=1)[kept] for each in sets]
        return np.array([[compute_cka(x, y, debiased=debiased) for y in means[2:]] for x in means[:2]])

    found = align_sides(make(sets), 2, debiased)
    np.testing.assert_allclose(found.values, compute(np.arange(N)), atol=1e-10)
    for left_out in (0, 11, 22):
        kept = np.delete(np.arange(N), left_out)
        np.testing.assert_allclose(found.left_out[..., left_out], compute(kept), atol=1e-10)
    assert np.isnan(found.values[:, 1]).all()


def test_what_has_no_answer() -> None:
    with pytest.raises(InputError, match="four stimuli or more"):
        align_sides(hold([each[:3] for each in make_sets()]), 2)
    sets = make_sets()
    sets[0][3, 0, 1] = np.nan
    with pytest.raises(InputError, match="finite"):
        stream(sets)
