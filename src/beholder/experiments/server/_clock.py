"""The server's clock: times that never run backwards, whatever is done to the clock of the machine."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from typing import final

from beholder.responses import ResponseStore

logger = logging.getLogger("beholder")

_TABLES = ("sessions", "events", "answers", "practice")


def count_seconds() -> float:
    """Seconds that passed since some moment, the machine's sleep among them where the system counts it."""
    with contextlib.suppress(AttributeError, OSError):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@final
class SteadyClock:
    """Seconds since 1970, read once and counted on from there.

    Parameters
    ----------
    least : float
        The first time is not before this one, so that nothing is answered before it was begun.
    wall, elapsed : callable
        The machine's clock, and seconds that only grow.

    Examples
    --------
    >>> seconds = iter([5.0, 6.5])
    >>> SteadyClock(wall=lambda: 100.0, elapsed=lambda: next(seconds))()
    101.5
    """

    def __init__(
        self, least: float = 0.0, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = count_seconds
    ) -> None:
        now = wall()
        if now < least:
            logger.warning("this machine's clock is %.0f s behind the last answer; times go on from there", least - now)
        self._begin, self._elapsed, self._zero = max(now, least), elapsed, elapsed()

    def __call__(self) -> float:
        """The time now."""
        return self._begin + max(0.0, self._elapsed() - self._zero)


def find_last_time(store: ResponseStore) -> float:
    """When something was last written into a file of answers; 0 in a new one."""

    def read(connection: sqlite3.Connection) -> float:
        columns = {"sessions": "started"}
        found = [
            connection.execute(f"SELECT max({columns.get(table, 'at')}) FROM {table}").fetchone()[0]
            for table in _TABLES
        ]
        return max((at for at in found if at is not None), default=0.0)

    return store.read(read)
