"""Workers that die: they are replaced as long as shards are finished between one death and the next."""

from __future__ import annotations

from typing import final

from beholder.jobs._folder import JobFolder

MAX_DEATHS = 3
"""How many may die in a row: what kills each worker that takes it up ends the run."""


@final
class DeathCount:
    """Counts deaths since a shard was last finished.

    Parameters
    ----------
    folder : JobFolder
        Whose receipts say what is finished.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._receipts = folder.path / "receipts"
        self._n_finished = self._count()
        self.n = 0

    def _count(self) -> int:
        return sum(1 for _ in self._receipts.glob("*.json"))

    def add(self) -> bool:
        """Count one; whether there were too many in a row."""
        finished = self._count()
        self.n = 1 if finished > self._n_finished else self.n + 1
        self._n_finished = finished
        return self.n > MAX_DEATHS
