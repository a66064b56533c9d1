"""The bucket scheme against a plain one, and against its published table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import beholder as bh
from beholder.models import Unit
from beholder.units import Windows, assign_released, assign_unit, plan_windows, rank_stimuli

UNIT = Unit("conv", 3)


@st.composite
def make_windows(draw: st.DrawFn) -> Windows:
    """Any possible windows."""
    b = draw(st.integers(1, 6))
    wide_min, wide_max, gaps = (
        draw(st.integers(0, 20)),
        draw(st.integers(0, 20)),
        draw(st.tuples(*[st.integers(0, 9)] * 3)),
    )
    start_min = 9 * b + gaps[0]
    stop_min = start_min + b + wide_min
    start_max = stop_min + gaps[1]
    stop_max = start_max + b + wide_max
    return Windows(stop_max + gaps[2] + 9 * b, b, start_min, stop_min, start_max, stop_max)


def list_buckets(w: Windows) -> dict[str, list[set[int]]]:
    """Which ranks may stand at each position, said in words: nine equal slices, weakest first, then the query."""
    b, n = w.num_batches, w.n_stimuli
    weakest, strongest = list(range(9 * b)), list(range(n - 9 * b, n))
    weakest.reverse()
    buckets = {}
    for sign, refs, window in (
        ("min", weakest, range(w.start_min, w.stop_min)),
        ("max", strongest, range(w.start_max, w.stop_max)),
    ):
        buckets[sign] = [set(refs[k * b : (k + 1) * b]) for k in range(9)] + [set(window)]
    return buckets


def check(dealt: np.ndarray, w: Windows) -> None:
    assert dealt.shape == (2, w.num_batches, 10)
    for ranks, positions in zip(dealt, list_buckets(w).values(), strict=True):
        used = ranks.ravel().tolist()
        assert len(set(used)) == len(used), "a stimulus is used twice"
        for k, allowed in enumerate(positions):
            column = set(ranks[:, k].tolist())
            assert column <= allowed
            assert k == 9 or column == allowed, "each reference is used"
    assert not set(dealt[0].ravel().tolist()) & set(dealt[1].ravel().tolist())
    assert (np.diff(dealt[0, :, :9]) < 0).all()
    assert (np.diff(dealt[1, :, :9]) > 0).all()


@settings(max_examples=150, deadline=None)
@given(make_windows(), st.integers(0, 1000))
def test_document_scheme(windows: Windows, seed: int) -> None:
    check(assign_unit(windows, UNIT, seed), windows)


@settings(max_examples=100, deadline=None)
@given(make_windows(), st.integers(0, 1000))
def test_released_scheme(windows: Windows, seed: int) -> None:
    b = windows.num_batches
    exact = Windows(
        windows.n_stimuli, b, windows.start_min, windows.start_min + b, windows.stop_max - b, windows.stop_max
    )
    for dealt in assign_released(exact, [UNIT, Unit("conv", 4)], seed).values():
        check(dealt, exact)


@pytest.mark.parametrize("scheme", ["document", "released"])
def test_published_table(scheme: str) -> None:
    """N = 1,000, 11 batches, windows 100-111 and 889-900."""
    windows = plan_windows(1000, start_min=100, stop_max=900)
    dealt = assign_unit(windows, UNIT, 42) if scheme == "document" else assign_released(windows, [UNIT], 42)[UNIT]
    ranges = {
        0: [(88, 98), (77, 87), (66, 76), (55, 65), (44, 54), (33, 43), (22, 32), (11, 21), (0, 10), (100, 110)],
        1: [
            (901, 911),
            (912, 922),
            (923, 933),
            (934, 944),
            (945, 955),
            (956, 966),
            (967, 977),
            (978, 988),
            (989, 999),
            (889, 899),
        ],
    }
    for sign, of_sign in ranges.items():
        for k, (first, last) in enumerate(of_sign):
            assert sorted(dealt[sign, :, k].tolist()) == list(range(first, last + 1))


def assign_like_the_release(w: Windows, units: list[Unit], seed: int) -> dict[Unit, list[list[list[int]]]]:
    """The released procedure on numpy's global stream, step by step."""
    before = np.random.get_state()
    np.random.seed(seed)
    b, n = w.num_batches, w.n_stimuli
    dealt: dict[Unit, list[list[list[int]]]] = {}
    layers: dict[str, list[Unit]] = {}
    for unit in units:
        layers.setdefault(unit.layer, []).append(unit)
    for members in layers.values():
        for unit in members:
            signs = []
            ascending = list(range(n))
            low = ascending[w.start_min : w.stop_min] + ascending[: 9 * b]
            low.reverse()
            high = ascending[n - 9 * b :] + ascending[w.start_max : w.stop_max]
            for ranks in (low, high):
                bins = [ranks[i * b : (i + 1) * b] for i in range(10)]
                for each in bins:
                    np.random.shuffle(each)
                signs.append([[bins[k][batch] for k in range(10)] for batch in range(b)])
            dealt[unit] = signs
    np.random.set_state(before)
    return dealt


def test_released_numbers() -> None:
    windows = plan_windows(1000, start_min=100, stop_max=900)
    units = [Unit("b", 0), Unit("a", 5), Unit("b", 1)]
    expected = assign_like_the_release(windows, units, 42)
    dealt = assign_released(windows, units, 42)
    assert {unit: ranks.tolist() for unit, ranks in dealt.items()} == expected
    assert assign_released(windows, units[::-1], 42)[Unit("b", 0)].tolist() != expected[Unit("b", 0)]


def test_released_scheme_has_no_wide_windows() -> None:
    with pytest.raises(bh.InputError, match="exactly 11 ranks"):
        assign_released(plan_windows(1000, start_min=100, stop_min=200, stop_max=900), [UNIT], 42)
    with pytest.raises(bh.InputError, match="seed"):
        assign_released(plan_windows(1000), [UNIT], -1)


def test_a_unit_draws_its_own_numbers() -> None:
    windows = plan_windows(1000, start_min=200, stop_min=400, start_max=600, stop_max=800)
    dealt = assign_unit(windows, UNIT, 42)
    assert (dealt == assign_unit(windows, UNIT, 42)).all()
    for other in (
        assign_unit(windows, Unit("conv", 4), 42),
        assign_unit(windows, Unit("con", 3), 42),
        assign_unit(windows, UNIT, 43),
    ):
        assert (dealt != other).any()
    signs = dealt[0] - dealt[0].min(), dealt[1] - dealt[1].min()
    assert (signs[0] != signs[1]).any()


def test_queries_come_from_all_of_a_wide_window() -> None:
    windows = plan_windows(1000, start_min=200, stop_min=400, start_max=600, stop_max=800)
    drawn = np.concatenate([assign_unit(windows, Unit("conv", c), 42)[:, :, 9] for c in range(100)], axis=1)
    assert (drawn.min(1) < [210, 610]).all()
    assert (drawn.max(1) >= [390, 790]).all()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 10**6)), min_size=1, max_size=30, unique_by=lambda x: x[1])
)
def test_ties_are_broken_by_id(pairs: list[tuple[int, int]]) -> None:
    ids = [f"picture_{i}" for _, i in pairs]
    order = rank_stimuli(np.array([value for value, _ in pairs], np.float32), ids)
    ranked = sorted(range(len(pairs)), key=lambda i: (pairs[i][0], ids[i]))
    assert order.tolist() == ranked
