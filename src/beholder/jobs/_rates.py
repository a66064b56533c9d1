"""How fast each of several workers is, told now and then."""

from __future__ import annotations

import time
from statistics import median
from typing import final

from beholder._core.progress import logger
from beholder._core.wording import format_count

_FIRST_SECONDS, _EVERY_SECONDS = 30.0, 60.0
_MOST_NAMED = 8


@final
class WorkerRates:
    """Items by worker.

    Parameters
    ----------
    unit : str
        What is counted, plural.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._counts: dict[str, float] = {}
        self._begun: dict[str, float] = {}
        self._next = time.monotonic() + _FIRST_SECONDS

    def add(self, name: str, n: float) -> None:
        """Count items of a worker."""
        self._begun.setdefault(name, time.monotonic())
        self._counts[name] = self._counts.get(name, 0.0) + n

    def describe(self, now: float) -> str:
        """A line: each worker's items and rate, of many the slowest, the middle and the fastest.

        >>> rates = WorkerRates("stimuli")
        >>> rates._counts, rates._begun = {"a": 40.0, "b": 60.0}, {"a": 0.0, "b": 0.0}
        >>> rates.describe(10.0)
        'stimuli by worker: a 40 (4/s), b 60 (6/s)'
        """
        rates = {name: n / max(now - self._begun[name], 1e-3) for name, n in self._counts.items()}
        if len(rates) <= _MOST_NAMED:
            each = (f"{name} {self._counts[name]:,.0f} ({rates[name]:.3g}/s)" for name in sorted(rates))
            return f"{self._unit} by worker: {', '.join(each)}"
        slow, fast = min(rates, key=lambda name: rates[name]), max(rates, key=lambda name: rates[name])
        return (
            f"{self._unit} by {format_count(len(rates), 'worker')}: "
            f"{rates[slow]:.3g}/s ({slow}) to {rates[fast]:.3g}/s ({fast}), "
            f"middle {median(rates.values()):.3g}/s"
        )

    def tell(self, *, last: bool = False) -> None:
        """Log the line where it is time, or at the end, of two workers and more."""
        now = time.monotonic()
        if len(self._counts) > 1 and (last or now >= self._next):
            self._next = now + _EVERY_SECONDS
            logger.info("%s", self.describe(now))
