"""Windows of queries: defaults, limits, the nearest possible ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import beholder as bh
from beholder.units import Windows, plan_windows

NAMES = ("start_min", "stop_min", "start_max", "stop_max")


def is_possible(n: int, b: int, start_min: int, stop_min: int, start_max: int, stop_max: int) -> bool:
    """Written with sets: both windows hold b ranks, and no rank has two uses."""
    low, high = set(range(9 * b)), set(range(n - 9 * b, n))
    first, second = set(range(start_min, stop_min)), set(range(start_max, stop_max))
    everything = low | high | first | second
    apart = len(everything) == len(low) + len(high) + len(first) + len(second)
    inside = everything <= set(range(n))
    ordered = (
        not first or not second or (max(low) < min(first) and max(first) < min(second) and max(second) < min(high))
    )
    return apart and inside and ordered and len(first) >= b and len(second) >= b


def read_flags(message: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"(\w+)=(-?\d+)", message.rsplit("try", maxsplit=1)[-1])}


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 3), st.integers(0, 40), st.tuples(*[st.integers(-5, 110)] * 4))
def test_possible_windows_are_taken_and_others_refused(b: int, spare: int, ranks: tuple[int, int, int, int]) -> None:
    n = 20 * b + spare
    asked = dict(zip(NAMES, ranks, strict=True))
    if is_possible(n, b, *ranks):
        planned = plan_windows(n, num_batches=b, **asked)
        assert {name: getattr(planned, name) for name in NAMES} == asked
    else:
        with pytest.raises(bh.InputError) as refusal:
            plan_windows(n, num_batches=b, **asked)
        nearest = read_flags(str(refusal.value))
        assert is_possible(n, b, *(nearest[name] for name in NAMES))


@given(st.integers(1, 12), st.integers(240, 2000))
def test_nearest_windows_move_no_further_than_needed(b: int, n: int) -> None:
    for start in (0, 9 * b - 1):
        with pytest.raises(bh.InputError) as refusal:
            plan_windows(n, num_batches=b, start_min=start, stop_max=n - 9 * b)
        nearest = read_flags(str(refusal.value))
        assert nearest == {"start_min": 9 * b, "stop_min": 10 * b, "start_max": n - 10 * b, "stop_max": n - 9 * b}


def test_each_end_defaults_from_the_other() -> None:
    expected = Windows(1000, 11, 100, 111, 889, 900)
    assert plan_windows(1000, start_min=100, stop_max=900) == expected
    assert plan_windows(1000, stop_min=111, start_max=889) == expected
    assert plan_windows(1000, percentile=(10, 90)) == expected
    assert plan_windows(1000) == Windows(1000, 11, 99, 110, 890, 901)
    assert plan_windows(1000, start_min=100, stop_min=300, stop_max=900).stop_min == 300


def test_settings_of_the_document_and_the_paper() -> None:
    assert plan_windows(50_000, percentile=(10, 90)) == Windows(50_000, 11, 5000, 5011, 44_989, 45_000)
    easy = plan_windows(1_281_167, num_batches=20, start_min=180, stop_max=1_280_986)
    assert (easy.stop_min, easy.start_max) == (200, 1_280_966)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_stimuli": 219}, "at least 220 stimuli for 11 batches.*got 219; try num_batches=10"),
        ({"n_stimuli": 7}, "got 7; try at least 22 stimuli, or top=7"),
        ({"n_stimuli": 40}, "got 40; try num_batches=1$"),
        ({"n_stimuli": 40, "percentile": (10, 90)}, r"got 40; try num_batches=1 percentile=\(23, 77\)"),
        ({"n_stimuli": 100, "percentile": (10, 90)}, "got 100; try num_batches=1$"),
        ({"num_batches": 0}, "num_batches"),
        ({"percentile": (90, 10)}, r"percentile=\(LOW, HIGH\)"),
        ({"percentile": (10, 101)}, r"percentile=\(LOW, HIGH\)"),
        ({"percentile": (10, 90), "start_min": 100}, "percentile, or ranks"),
        ({"start_min": 98}, "start_min=99 stop_min=110 start_max=890 stop_max=901"),
        ({"stop_max": 902}, "start_min=99 stop_min=110 start_max=890 stop_max=901"),
        ({"start_min": 100, "stop_min": 105}, "start_min=100 stop_min=111"),
    ],
)
def test_refusals(options: dict[str, object], message: str) -> None:
    with pytest.raises(bh.InputError, match=message):
        plan_windows(**{"n_stimuli": 1000, **options})


@pytest.mark.parametrize(("n", "b"), [(40, 2), (220, 11), (44, 1), (1000, 11), (20, 1), (60, 2)])
def test_queries_are_alike_where_few_stimuli_lie_between_them(n: int, b: int) -> None:
    windows = plan_windows(n, num_batches=b)
    assert windows.are_alike == (windows.start_max - windows.stop_min <= n / 20)


@pytest.mark.parametrize(
    ("n", "b", "percentile", "message"),
    [
        (40, 2, (10, 90), r"the 45 % of 40 stimuli .*; try num_batches=1 without percentile, .*or 180 stimuli"),
        (40, 1, (10, 90), r"the 22.5 % of 40 .*; try percentile=\(23, 77\) or 90 stimuli"),
        (400, 11, (10, 90), r"the 24.8 % of 400 .*; try num_batches=4 or percentile=\(25, 75\) or 990 stimuli"),
    ],
)
def test_a_percentile_within_the_references_says_why_and_what_would_do(
    n: int, b: int, percentile: tuple[float, float], message: str
) -> None:
    with pytest.raises(bh.InputError, match=message) as refusal:
        plan_windows(n, num_batches=b, percentile=percentile)
    told = str(refusal.value)
    for asked in re.findall(r"num_batches=(\d+)(?! without)", told):
        assert not plan_windows(n, num_batches=int(asked), percentile=percentile).are_alike
    for low, high in re.findall(r"try.*percentile=\((\d+), (\d+)\)", told):
        assert not plan_windows(n, num_batches=b, percentile=(int(low), int(high))).are_alike
    for asked in re.findall(r"or (\d+) stimuli", told):
        assert plan_windows(int(asked), num_batches=b, percentile=percentile).is_valid
