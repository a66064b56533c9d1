"""How fast work goes, and how long the rest of it takes: arithmetic on a clock, told by whoever asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import final

from beholder._core.durations import format_duration, format_rate
from beholder._core.wording import format_share

_FEW = 20
"""Fewer items than these are told in their steps, where these are known."""
_WARM_SHARE = 0.2
"""Of the time until the first count: what comes within it is of the first ones, too."""
_LEAST_COUNTS, _LEAST_SHARE, _LEAST_SHARE_OF_PARTS = 3, 0.05, 0.25


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
    steps : int
        That an item takes, where it takes many: few items are told in steps.

    Attributes
    ----------
    count : float
        Items that are finished by now, parts of items too.
    is_fine : bool
        Parts of items have been counted.

    Notes
    -----
    The first item waits for all that is made ready, so a rate is not told before it means something: after a twentieth
    of the work (of parts of items, a quarter), or as soon as three more counts have come a while after the first ones.
    From then on the time until the first ones is left out.

    Examples
    --------
    >>> clock = iter([0.0, 4.0, 6.0]).__next__
    >>> pace = Pace(100, done=20, clock=clock)
    >>> pace.add(8)
    >>> pace.rate, pace.find_rest()  # 8 in 4 s; at 6 s two of the 36 s are over
    (2.0, 34.0)
    """

    def __init__(
        self, total: float, done: float = 0, clock: Callable[[], float] = time.monotonic, *, steps: int = 0
    ) -> None:
        self.total, self.count, self._first, self._clock = total, done, done, clock
        self._steps = steps if total < _FEW else 0
        self._begun = self._last = self._ready = clock()
        self._count_ready, self._n_since, self._end_ready = done, 0, -1.0
        self._lock = threading.Lock()
        self.is_fine = steps > 1

    def add(self, n: float) -> None:
        """Count items, or parts of them, that were just finished."""
        now = self._clock()
        with self._lock:
            self.count += n
            self._last = now
            self.is_fine = self.is_fine or n != int(n)
            if self._end_ready < 0:
                self._end_ready = now + _WARM_SHARE * (now - self._begun)
            if now <= self._end_ready:  # the first ones, of several workers too
                self._ready, self._count_ready = now, self.count
            else:
                self._n_since += 1

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning of this run."""
        return self._clock() - self._begun

    @property
    def rate(self) -> float | None:
        """Items a second, of this run; None before that means something."""
        with self._lock:
            done, seconds = self.count - self._first, self._last - self._begun
            steady, since = self.count - self._count_ready, self._last - self._ready
            is_steady = self._n_since >= _LEAST_COUNTS and steady > 0
        least = (_LEAST_SHARE_OF_PARTS if self.is_fine else _LEAST_SHARE) * (self.total - self._first)
        if done <= 0 or seconds <= 0 or not (is_steady or self.is_done or done >= least * (1 - 1e-6)):
            return None
        return max(done / seconds, steady / since if is_steady and not self.is_done else 0.0)

    @property
    def is_done(self) -> bool:
        """Everything is finished; parts of items add up to almost a whole."""
        return self.count >= self.total - 1e-6 * max(self.total, 1)

    def find_rest(self) -> float | None:
        """Seconds that are left, at the rate so far; None before that means something."""
        if self.rate is None:
            return None
        rest = max(self.total - self.count, 0) / self.rate
        return max(rest - (self._clock() - self._last), 0.0)

    def describe_count(self, unit: str) -> str:
        """How many items are done of how many; of few that take many steps, how many steps."""
        if self._steps and not self.is_done:
            return f"{int(self.count * self._steps + 1e-6):,} of {self.total * self._steps:,} steps"
        share = min(self.count / self.total, 1) if self.total else 1.0
        percent = f" ({format_share(share)})" if self.is_fine and not self.is_done else ""
        whole = self.total if self.is_done else int(self.count + 1e-6)
        return f"{whole:,} of {self.total:,} {unit}".rstrip() + percent

    def describe_time(self) -> str:
        """Rate, time since the beginning, time left."""
        rate = self.rate
        parts = [] if rate is None else [format_rate(rate * (self._steps or 1), " steps" if self._steps else "")]
        spent = format_duration(self.elapsed)
        parts.append(f"in {spent}" if self.is_done else f"{spent} so far")
        rest = None if self.is_done else self.find_rest()
        if rest is not None:
            parts.append(f"about {format_duration(rest)} left")
        return ", ".join(parts)
