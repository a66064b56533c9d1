"""Reading and writing rows: functions of a connection, so that many can share one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Mapping
from typing import Any

from beholder._core.hashing import to_canonical_json
from beholder.responses._records import Answer, Event, History, Session, TrialKey


def insert_trial(connection: sqlite3.Connection, key: TrialKey) -> None:
    """What is known of one trial."""
    unit = None if key.unit is None else to_canonical_json(dict(key.unit))
    connection.execute(
        "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (key.task, key.n, key.role, key.mode, unit, key.correct, to_canonical_json(dict(key.conditions)),
         json.dumps(list(key.levels))),
    )  # fmt: skip


def insert_session(
    connection: sqlite3.Connection, participant: str, token: bytes, task: int, presentation: str, started: float
) -> int:
    """A new session; a participant or token that is there already is an :class:`sqlite3.IntegrityError`."""
    cursor = connection.execute(
        "INSERT INTO sessions (participant, token, task, presentation, started) VALUES (?, ?, ?, ?, ?)",
        (participant, token, task, presentation, started),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def insert_recruit(connection: sqlite3.Connection, session: int, recruiter: str, parameters: Mapping[str, str]) -> None:
    """Who a participant is at the recruiter."""
    connection.execute(
        "INSERT INTO recruits VALUES (?, ?, ?)", (session, recruiter, to_canonical_json(dict(parameters)))
    )


def insert_event(connection: sqlite3.Connection, session: int, event: Event, seq: int | None = None) -> None:
    """Something that happened, after everything that did before.

    ``seq``: its number in the session, from 1; one that is taken is an :class:`sqlite3.IntegrityError`.
    """
    if seq is None:
        sql = "SELECT coalesce(max(seq), 0) + 1 FROM events WHERE session = ?"
        (seq,) = connection.execute(sql, (session,)).fetchone()
    row = (session, seq, event.at, event.event, event.step, to_canonical_json(dict(event.data)))
    connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row)


def insert_answer(connection: sqlite3.Connection, session: int, answer: Answer) -> None:
    """One answer; a second one to the same trial is an :class:`sqlite3.IntegrityError`."""
    values = (
        answer.trial, answer.n, answer.at, to_canonical_json(dict(answer.response)), answer.choice,
        None if answer.correct is None else int(answer.correct), answer.confidence, answer.level, answer.rt_ms,
        to_canonical_json(dict(answer.details)), answer.body,
    )  # fmt: skip
    if answer.block:
        connection.execute(
            "INSERT INTO practice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (session, answer.block, *values)
        )
    else:
        connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (session, *values))


def delete_session(connection: sqlite3.Connection, token: bytes, at: float) -> bool:
    """Write down that the holder of a token withdrew, and delete all that is known of the session."""
    row = connection.execute("SELECT session FROM sessions WHERE token = ?", (token,)).fetchone()
    if row is None:
        return False
    connection.execute("INSERT OR IGNORE INTO withdrawals VALUES (?, ?)", (token, at))
    for table in ("recruits", "answers", "practice", "events", "sessions"):
        connection.execute(f"DELETE FROM {table} WHERE session = ?", (row[0],))
    return True


def find_session(connection: sqlite3.Connection, token: bytes) -> int | None:
    """The number of the session that a token opens."""
    row = connection.execute("SELECT session FROM sessions WHERE token = ?", (token,)).fetchone()
    return None if row is None else int(row[0])


def is_withdrawn(connection: sqlite3.Connection, token: bytes) -> bool:
    """Whether the holder of a token withdrew."""
    return connection.execute("SELECT 1 FROM withdrawals WHERE token = ?", (token,)).fetchone() is not None


def read_history(connection: sqlite3.Connection, session: int) -> History | None:
    """A session with all that it did, in order; None when there is none."""
    row = connection.execute(
        "SELECT participant, task, presentation, started FROM sessions WHERE session = ?", (session,)
    ).fetchone()
    if row is None:
        return None
    recruit = connection.execute("SELECT recruiter, parameters FROM recruits WHERE session = ?", (session,)).fetchone()
    events = connection.execute("SELECT at, event, step, data FROM events WHERE session = ? ORDER BY seq", (session,))
    answers = connection.execute(
        f"SELECT 0, {_ANSWER} FROM answers WHERE session = ? ORDER BY trial", (session,)
    ).fetchall()
    practice = connection.execute(
        f"SELECT block, {_ANSWER} FROM practice WHERE session = ? ORDER BY block, trial", (session,)
    ).fetchall()
    return History(
        Session(
            session, row[0], row[1], json.loads(row[2]), row[3],
            None if recruit is None else {"recruiter": recruit[0], "parameters": json.loads(recruit[1])},
        ),
        tuple(Event(at, name, step, json.loads(data)) for at, name, step, data in events),
        tuple(_make_answer(row) for row in answers),
        tuple(_make_answer(row) for row in practice),
    )  # fmt: skip


def count_takers(
    connection: sqlite3.Connection, since: float, idle_steps: tuple[str, ...], without: Container[int] = ()
) -> dict[int, int]:
    """How many took each task: who answered all its trials, and who did something after ``since``.

    Parameters
    ----------
    since : float
        Who did nothing after this time and is not through does not count; neither does who is at one of
        ``idle_steps``, from which nobody returns.
    without : container of int
        Sessions that do not count though they are through.
    """
    rows = connection.execute(
        "SELECT s.session, s.task, e.step, max(e.at, coalesce((SELECT a.at FROM answers a WHERE a.session = s.session "
        "ORDER BY a.trial DESC LIMIT 1), 0), coalesce((SELECT p.at FROM practice p WHERE p.session = s.session "
        "ORDER BY p.block DESC, p.trial DESC LIMIT 1), 0)), "
        "EXISTS (SELECT 1 FROM events d WHERE d.session = s.session AND d.event = 'answered_all') "
        "FROM sessions s JOIN events e ON e.session = s.session "
        "AND e.seq = (SELECT max(seq) FROM events l WHERE l.session = s.session)"
    )
    counts: dict[int, int] = {}
    for session, task, step, last, through in rows:
        if through and session in without:
            continue
        if through or (step not in idle_steps and last > since):
            counts[task] = counts.get(task, 0) + 1
    return counts


_ANSWER = "trial, n, at, response, choice, correct, confidence, level, rt_ms, details, body"


def _make_answer(row: tuple[Any, ...]) -> Answer:
    block, trial, n, at, response, choice, correct, confidence, level, rt_ms, details, body = row
    return Answer(
        trial, n, at, json.loads(response), choice, None if correct is None else bool(correct), confidence, level,
        rt_ms, json.loads(details), body, block,
    )  # fmt: skip
