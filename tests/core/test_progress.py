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
