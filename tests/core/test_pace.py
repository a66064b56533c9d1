"""How fast work goes and how long the rest takes, on a clock that tests move."""

from __future__ import annotations

import pytest

from beholder._core.durations import format_duration, format_rate
from beholder._core.pace import Pace
from beholder._core.progress import LinePrinter
from beholder._core.sizes import format_bytes


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_left_follows_from_what_this_run_did() -> None:
    clock = Clock()
    pace = Pace(100, done=40, clock=clock)
    assert pace.rate is None and pace.find_rest() is None
    assert pace.describe_time() == "0.0 s so far"
    clock.now = 10.0
    pace.add(20)
    assert pace.rate == 2.0 and pace.find_rest() == 20.0
    clock.now = 14.0  # nothing has come since: 4 of the 20 s are over
    assert pace.find_rest() == 16.0
    assert pace.describe_count("stimuli") == "60 of 100 stimuli"
    assert pace.describe_time() == "2.0/s, 14 s so far, about 16 s left"


def test_parts_of_slow_items_count_and_add_up_to_a_whole() -> None:
    clock = Clock()
    pace = Pace(40, clock=clock)
    clock.now = 3.0
    pace.add(2.5)
    assert pace.describe_count("metamers") == "2 of 40 metamers (6.2 %)"
    for _ in range(15):
        pace.add(2.5)
    assert pace.is_done and pace.describe_count("metamers") == "40 of 40 metamers"
    assert pace.describe_time() == "13/s, in 3.0 s"


def test_few_slow_items_are_told_in_steps_and_what_came_before_the_first_counts_for_nothing() -> None:
    """25 s until the first of 200 steps, then one a second."""
    clock = Clock()
    pace = Pace(1, clock=clock, steps=200)
    told: list[str] = []
    for second in [25.0, *map(float, range(26, 225))]:
        clock.now = second
        pace.add(1 / 200)
        told.append(f"{pace.describe_count('metamers')}, {pace.describe_time()}")
    assert told[0] == "1 of 200 steps, 25 s so far", "one step says nothing"
    assert told[11] == "12 of 200 steps, 1.0 steps/s, 36 s so far, about 3.1 min left"
    assert told[-1] == "1 of 1 metamers, 54 steps/min, in 3.7 min"
    rests = [line.partition("about ")[2] for line in told]
    assert not any(rests[:8]) and all(rests[8:-1])


def test_many_slow_items_are_told_as_items() -> None:
    clock = Clock()
    pace = Pace(400, clock=clock, steps=200)
    for second in range(1, 801):
        clock.now = float(second)
        pace.add(1 / 200)
    assert pace.describe_count("metamers") == "4 of 400 metamers (1.0 %)"
    assert pace.describe_time() == "18/h, 13.3 min so far, about 22.0 h left"


def test_items_that_workers_finish_together_are_no_rate() -> None:
    """16 at once after 10 s, and again: 1.6/s, not as fast as they came one behind the other."""
    clock = Clock()
    pace = Pace(1600, clock=clock)
    for moment in (10.0, 20.0, 30.0):
        clock.now = moment
        for _ in range(16):
            clock.now += 0.001
            pace.add(1)
        if moment == 10.0:
            assert pace.rate is None
    assert pace.rate is not None and 1.5 < pace.rate < 1.7


def test_lines_come_in_the_first_seconds_then_more_rarely(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    lines = LinePrinter("count", Pace(1000, clock=clock), "things")
    with caplog.at_level("INFO", logger="beholder"):
        for second in range(1, 1001):
            clock.now = float(second)
            lines.advance(1)
    counts = [int(record.getMessage().split(": ")[1].split(" of")[0].replace(",", "")) for record in caplog.records]
    assert counts[:4] == [2, 4, 14, 24], "soon, and as soon as it is known how long it takes"
    assert counts[-1] == 1000 and counts[-2] - counts[-3] >= 40
    assert "about" not in caplog.records[0].getMessage() and "about" in caplog.records[1].getMessage()
    assert "about" not in caplog.records[-1].getMessage()


def test_slow_items_leave_nobody_in_the_dark(caplog: pytest.LogCaptureFixture) -> None:
    """Lines come while nothing is finished; how long it takes is told as soon as it is known, not ten seconds later."""
    clock = Clock()
    lines = LinePrinter("make", Pace(4, clock=clock), "metamers")
    with caplog.at_level("INFO", logger="beholder"):
        for second in range(1, 16):
            clock.now = float(second)
            lines.look()
        lines.advance(0.5)
        lines.look()
        clock.now = 16.0
        lines.advance(0.5)
        lines.look()
    assert [record.getMessage() for record in caplog.records] == [
        "make: 0 of 4 metamers, 2.0 s so far",
        "make: 0 of 4 metamers, 12 s so far",
        "make: 1 of 4 metamers (25.0 %), 3.8/min, 16 s so far, about 48 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.04, "0.0 s"), (9.96, "10.0 s"), (99.4, "99 s"), (101, "1.7 min"), (260_000, "3.0 days")]
)
def test_spans_are_said_in_the_unit_that_suits(seconds: float, told: str) -> None:
    assert format_duration(seconds) == told


def test_rates_and_sizes_keep_their_unit_at_the_edge() -> None:
    assert [format_rate(r) for r in (9.96, 0.999, 0.0167, 1e-9)] == ["10/s", "60/min", "1.0/min", "0.0/h"]
    assert [format_bytes(n) for n in (999, 1000, 999_499, 999_600, 9.96e9)] == [
        "999 bytes", "1.0 kB", "999 kB", "1.0 MB", "10 GB",
    ]  # fmt: skip
