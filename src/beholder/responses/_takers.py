"""Whose places the tasks have: who takes one, and who took one to its end."""

from __future__ import annotations

import collections
import json
import sqlite3
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import final

from beholder._core.errors import suggest_keywords


@final
@dataclass(frozen=True)
class Taker:
    """A session, as far as it says whose place a task has.

    Attributes
    ----------
    session, visit, task : int
    participant, step : str
    last : float
        When something was done, seconds since 1970.
    through : float or None
        When all trials were answered.
    """

    session: int
    participant: str
    visit: int
    task: int
    step: str
    last: float
    through: float | None


_TAKERS = """
SELECT s.session, s.participant, s.visit, s.task, e.step, max(e.at,
    coalesce((SELECT a.at FROM answers a WHERE a.session = s.session ORDER BY a.trial DESC LIMIT 1), 0),
    coalesce((SELECT p.at FROM practice p WHERE p.session = s.session ORDER BY p.block DESC, p.trial DESC LIMIT 1), 0)),
    (SELECT d.at FROM events d WHERE d.session = s.session AND d.event = 'answered_all')
FROM sessions s JOIN events e ON e.session = s.session
    AND e.seq = (SELECT max(seq) FROM events l WHERE l.session = s.session)
"""


@suggest_keywords
def read_takers(connection: sqlite3.Connection, sessions: Iterable[int] | None = None) -> list[Taker]:
    """Every session, or these."""
    if sessions is None:
        rows = connection.execute(_TAKERS)
    else:
        asked = json.dumps(list(sessions))
        rows = connection.execute(f"{_TAKERS} WHERE s.session IN (SELECT value FROM json_each(?))", (asked,))
    return [Taker(*row) for row in rows]


@suggest_keywords
def count_takers(
    takers: Iterable[Taker],
    since: float,
    idle_steps: tuple[str, ...],
    without: Container[int] = (),
    *,
    n_visits: int = 1,
    back_since: float | None = None,
) -> dict[int, int]:
    """How many took each task: who answered all its trials, and who did something after ``since``.

    Where participants have several sessions, they are counted at the task of their first one, by the latest.

    Parameters
    ----------
    takers : iterable of Taker
        Every session.
    since : float
        Who did nothing after this time and is not through does not count; neither does who is at one of
        ``idle_steps``, from which nobody returns.
    without : container of int
        Sessions whose participants do not count though they are through.
    n_visits : int
        Sessions that a participant has.
    back_since : float, optional
        Who is through with a session that is not the last, and was so before this time, cannot come back any more and
        does not count; None: everybody can.
    """
    out: set[str] = set()
    latest: dict[str, Taker] = {}
    for taker in takers:
        if taker.session in without:
            out.add(taker.participant)
        before = latest.get(taker.participant)
        if before is None or before.visit < taker.visit:
            latest[taker.participant] = taker
    counts: dict[int, int] = {}
    for participant, taker in latest.items():
        if taker.through is None:
            counts_in = taker.step not in idle_steps and taker.last > since
        else:
            counts_in = taker.visit >= n_visits or back_since is None or taker.through >= back_since
        if counts_in and participant not in out:
            first = taker.task - (taker.visit - 1)
            counts[first] = counts.get(first, 0) + 1
    return counts


@final
class TakerLog:
    """Takers as of the last time that somebody came; of whom something was saved since is read again, nobody else.

    For the one process that writes to a file. :meth:`note` may be called from any thread.
    """

    def __init__(self) -> None:
        self._takers: dict[int, Taker] | None = None
        self._changed: collections.deque[int] = collections.deque()

    def note(self, session: int) -> None:
        """Something of a session was saved, or the session deleted."""
        self._changed.append(session)

    def forget(self) -> None:
        """What was written may have been taken back: next time everybody is read again."""
        self._takers = None

    def read(self, connection: sqlite3.Connection) -> list[Taker]:
        """Every session, as the connection sees it."""
        changed: set[int] = set()
        while self._changed:
            changed.add(self._changed.popleft())
        if self._takers is None:
            self._takers = {taker.session: taker for taker in read_takers(connection)}
        elif changed:
            for session in changed:
                self._takers.pop(session, None)
            self._takers |= {taker.session: taker for taker in read_takers(connection, changed)}
        return list(self._takers.values())
