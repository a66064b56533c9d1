"""How fast work goes, and how long the rest of it takes: arithmetic on a clock, told by whoever asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import final

from beholder._core.durations import format_duration, format_rate


@final
class Pace:
    """What was done when.

    Parameters
    ----------
    total : float
        Items of the work.
    done : float
        Items that an earlier run has finished.
    clock : callable
        Seconds.

    Attributes
    ----------
    count : float
        Items that are finished by now, parts of items too.
    is_fine : bool
        Parts of items have been counted.

    Examples
    --------
    >>> clock = iter([0.0, 4.0, 6.0]).__next__
    >>> pace = Pace(100, done=20, clock=clock)
    >>> pace.add(8)
    >>> pace.rate, pace.find_rest()  # 8 in 4 s; at 6 s two of the 36 s are over
    (2.0, 34.0)
    """

    def __init__(self, total: float, done: float = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.count, self._first, self._clock = total, done, done, clock
        self._begun = self._last = clock()
        self._lock = threading.Lock()
        self.is_fine = False

    def add(self, n: float) -> None:
        """Count items, or parts of them, that were just finished."""
        now = self._clock()
        with self._lock:
            self.count += n
            self._last = now
            self.is_fine = self.is_fine or n != int(n)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning of this run."""
        return self._clock() - self._begun

    @property
    def rate(self) -> float | None:
        """Items a second, of this run; None before anything is done."""
        done, seconds = self.count - self._first, self._last - self._begun
        return done / seconds if done > 0 and seconds > 0 else None

    @property
    def is_done(self) -> bool:
        """Everything is finished; parts of items add up to almost a whole."""
        return self.count >= self.total - 1e-6 * max(self.total, 1)

    def find_rest(self) -> float | None:
        """Seconds that are left, at the rate so far; None before anything is done."""
        if self.rate is None:
            return None
        rest = max(self.total - self.count, 0) / self.rate
        return max(rest - (self._clock() - self._last), 0.0)

    def describe_count(self, unit: str) -> str:
        """How many items are done of how many."""
        share = 100 * min(self.count / self.total, 1) if self.total else 100.0
        percent = f" ({share:.1f} %)" if self.is_fine and not self.is_done else ""
        whole = self.total if self.is_done else int(self.count + 1e-6)
        return f"{whole:,} of {self.total:,} {unit}".rstrip() + percent

    def describe_time(self) -> str:
        """Rate, time since the beginning, time left."""
        parts = [] if self.rate is None else [format_rate(self.rate)]
        spent = format_duration(self.elapsed)
        parts.append(f"in {spent}" if self.is_done else f"{spent} so far")
        rest = None if self.is_done else self.find_rest()
        if rest is not None:
            parts.append(f"about {format_duration(rest)} left")
        return ", ".join(parts)
