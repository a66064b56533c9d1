"""Lines of progress where there is no terminal."""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest

from beholder._core import progress
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


def test_lines_come_while_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread tells them, and ends with the block."""
    told = threading.Event()
    monkeypatch.setattr(progress, "_FIRST_LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress.LinePrinter, "_tell", lambda *_: told.set())
    with show_progress("count", 3, "things"):
        assert told.wait(20)
    assert all(thread.name != "beholder-progress" for thread in threading.enumerate())


def test_work_of_a_moment_may_end_without_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, logger="beholder"),
        show_progress("count", 1, "things", tells_end=False) as advance,
    ):
        advance(1)
    assert not caplog.records


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


def test_lines_stand_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not behind it; and a part of the work that counts by itself brings no second bar."""
    from beholder.cli._main import set_up_logging

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    before = progress.logger.handlers[:], progress.logger.level, progress.logger.propagate
    monkeypatch.setattr(progress, "_FIRST_LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_LONG_SECONDS", 0.0)
    try:
        set_up_logging(quiet=False, verbose=False)
        with show_progress("count", 3, "things") as advance, show_progress("parts", 2, "parts") as count:
            count(1)
            progress.logger.warning("something happened")
            advance(1)
    finally:
        progress.logger.handlers[:], progress.logger.level, progress.logger.propagate = before
    text = terminal.getvalue()
    assert "parts" not in text and "count: about" in text
    assert "\nwarning: something happened\n" in text or "\x1b[2Kwarning: something happened\n" in text, repr(text)


def test_what_changes_numbers_is_said_in_scripts_without_logging(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once, with keywords for flags; not where progress is off, nor twice where a log takes it."""
    monkeypatch.setattr(progress, "_told", set())
    monkeypatch.delenv("BEHOLDER_PROGRESS", raising=False)
    for _ in range(2):
        progress.tell_once("sounds at %d Hz are resampled; --batch_size 4 is left out", 8000)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "sounds at 8000 Hz are resampled; batch_size=4 is left out\n")
    monkeypatch.setenv("BEHOLDER_PROGRESS", "0")
    progress.tell("nothing")
    assert capsys.readouterr().err == ""
    logger = logging.getLogger("beholder")
    monkeypatch.setattr(logger, "level", logging.WARNING)
    monkeypatch.delenv("BEHOLDER_PROGRESS")
    progress.tell("nothing")
    assert capsys.readouterr().err == "", "who sets a level decides"


def test_processes_hand_on_what_they_have_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[tuple[str, str | None]] = []
    monkeypatch.setattr(progress, "_relay", None)
    progress.relay_told(lambda line, key: handed.append((line, key)))
    progress.tell("%d stimuli", 3)
    progress.tell_once("padded (the first has %g s)", 0.5, key="padded")
    assert handed == [("3 stimuli", None), ("padded (the first has 0.5 s)", "padded")]


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_what_is_slow_is_said_while_it_goes_on(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of what is quick; the thread that would say it ends with the block."""
    told, said = threading.Event(), list[str]()
    monkeypatch.setattr(progress, "_SLOW_SECONDS", seconds)
    monkeypatch.setattr(progress, "_tell_line", lambda line: (said.append(line), told.set()))
    before = threading.active_count()
    with progress.tell_slow("loading a network"):
        assert seconds or told.wait(20)
    assert said == ([] if seconds else ["loading a network ..."])
    assert threading.active_count() == before
