"""From the log into the file: moved beside the commits, so that no answer waits for it."""

from __future__ import annotations

import sqlite3
import threading
from typing import final

EVERY_S = 2.0
"""Seconds between two moves, while something is written; what a copy of the file alone can lack at most, about."""

LONGEST_LOG_PAGES = 8000
"""A log of so many pages is brought to its end by a commit: what is left of it is what came during the last move."""


@final
class Checkpointer:
    """A thread that moves what SQLite's log holds into the file itself, while another one goes on writing.

    A commit waits for one write to the log. That what the log holds has to reach the file too, now and then, costs as
    much as hundreds of commits: here nobody waits for it.

    Parameters
    ----------
    connection : sqlite3.Connection
        In autocommit mode, opened with ``check_same_thread=False``; this object closes it.
    every_s : float
    """

    def __init__(self, connection: sqlite3.Connection, every_s: float = EVERY_S) -> None:
        self._connection, self._every_s = connection, every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beholder-checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and close the connection."""
        self._stopping.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        version = None
        while not self._stopping.wait(self._every_s):
            try:
                now = self._connection.execute("PRAGMA data_version").fetchone()
                if now != version:
                    self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                version = now
            except sqlite3.Error:  # a full disk: the answers' own commits tell
                continue
