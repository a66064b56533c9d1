"""Lines of progress where there is no terminal."""

from __future__ import annotations

import logging

import pytest

from beholder._core.progress import show_progress


def test_the_end_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Also where something of no items follows, as the close of a shard."""
    with caplog.at_level(logging.INFO, logger="beholder"), show_progress("count", 3, "things") as advance:
        for n in (2, 1, 0):
            advance(n)
    told = [record.getMessage().partition(",")[0] for record in caplog.records]
    assert told == ["count: 3 of 3 things"]


def count(n: int, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Count things, one every 1.5 s of a clock of ours."""
    monkeypatch.setattr("beholder._core.pace.Pace.__init__.__defaults__", (0, lambda: clock[0]))
    with show_progress("count", n, "things") as advance:
        for _ in range(n):
            clock[0] += 1.5
            advance(1)


@pytest.mark.parametrize("setting", ["", "0", "off"])
def test_scripts_see_how_long_work_goes_on_without_logging(
    setting: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BEHOLDER_PROGRESS", setting)
    count(1, [0.0], monkeypatch)
    assert capsys.readouterr().err == "", "nothing of what is done in a moment"
    count(4, [0.0], monkeypatch)
    told = capsys.readouterr()
    assert told.out == ""
    lines = [line.partition(",")[0] for line in told.err.splitlines()]
    assert lines == ([] if setting else ["count: 2 of 4 things", "count: 4 of 4 things"])
