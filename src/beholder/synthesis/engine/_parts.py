"""Steps of images counted as parts of the items that they make."""

from __future__ import annotations

import threading
from typing import final

from beholder._core.progress import Advance


@final
class PartCounter:
    """Counts the steps of a batch, at most as many as its items; those that were not needed count at its end.

    Parameters
    ----------
    advance : callable
        Is told the items, and parts of them.
    n_items : int
    most : int
        Steps of images that the items take at most.

    Examples
    --------
    >>> told = []
    >>> part = PartCounter(told.append, 2, 400)
    >>> part.count(100); part.end()
    >>> told
    [0.5, 1.5]
    """

    def __init__(self, advance: Advance, n_items: int, most: int) -> None:
        self._advance, self._n_items, self._share = advance, n_items, n_items / max(most, 1)
        self._told, self._lock = 0.0, threading.Lock()

    def count(self, n: float) -> None:
        """So many steps are done; of a negative number, are to be done again."""
        with self._lock:
            part = max(min(n * self._share, self._n_items - self._told), -self._told)
            self._told += part
        if part:
            self._advance(part)

    def end(self) -> None:
        """The items are finished."""
        with self._lock:
            part, self._told = self._n_items - self._told, float(self._n_items)
        self._advance(part)
