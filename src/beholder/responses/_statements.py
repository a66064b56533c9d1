"""Reading and writing rows: functions of a connection, so that many can share one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from beholder._core.errors import UnknownNameError, suggest_keywords
from beholder._core.hashing import to_canonical_json
from beholder.responses._records import Answer, Event, History, Session, TrialKey
from beholder.responses._schema import EVENTS


def insert_trial(connection: sqlite3.Connection, key: TrialKey) -> None:
    """What is known of one trial."""
    unit = None if key.unit is None else to_canonical_json(dict(key.unit))
    connection.execute(
        "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (key.task, key.n, key.role, key.mode, unit, key.correct, to_canonical_json(dict(key.conditions)),
         json.dumps(list(key.levels))),
    )  # fmt: skip


@suggest_keywords
def insert_session(
    connection: sqlite3.Connection,
    participant: str,
    token: bytes | None,
    task: int,
    presentation: str,
    started: float,
    visit: int = 1,
) -> int:
    """A new session and the token that opens it; a later visit is opened by the tokens of the earlier ones too.

    A visit that the participant made already, or a token that is there, is an :class:`sqlite3.IntegrityError`.

    Parameters
    ----------
    visit : int
        Which of the participant's sessions, from 1.
    """
    cursor = connection.execute(
        "INSERT INTO sessions (participant, visit, task, presentation, started) VALUES (?, ?, ?, ?, ?)",
        (participant, visit, task, presentation, started),
    )
    assert cursor.lastrowid is not None
    if token is not None:
        insert_login(connection, cursor.lastrowid, token, started)
    return cursor.lastrowid


@suggest_keywords
def insert_login(connection: sqlite3.Connection, session: int, token: bytes, at: float) -> None:
    """One more token that opens a session; those before go on to."""
    connection.execute("INSERT INTO logins VALUES (?, ?, ?)", (token, session, at))


@suggest_keywords
def insert_recruit(
    connection: sqlite3.Connection, session: int, recruiter: str, parameters: Mapping[str, str], at: float
) -> None:
    """Who a participant is at the recruiter; what is told last counts, and the same once more adds nothing."""
    row = (recruiter, to_canonical_json(dict(parameters)))
    if _find_recruit(connection, session) != row:
        sql = "INSERT INTO recruits (session, at, recruiter, parameters) VALUES (?, ?, ?, ?)"
        connection.execute(sql, (session, at, *row))


def _find_recruit(connection: sqlite3.Connection, session: int) -> tuple[str, str] | None:
    sql = "SELECT recruiter, parameters FROM recruits WHERE session = ? ORDER BY recruit DESC LIMIT 1"
    return connection.execute(sql, (session,)).fetchone()


@suggest_keywords
def insert_event(connection: sqlite3.Connection, session: int, event: Event, seq: int | None = None) -> None:
    """Something that happened, after everything that did before.

    ``seq``: its number in the session, from 1; one that is taken is an :class:`sqlite3.IntegrityError`. Names are those
    of :data:`beholder.responses.EVENTS`.
    """
    if event.event not in EVENTS:
        raise UnknownNameError("event", event.event, EVENTS)
    if seq is None:
        sql = "SELECT coalesce(max(seq), 0) + 1 FROM events WHERE session = ?"
        (seq,) = connection.execute(sql, (session,)).fetchone()
    row = (session, seq, event.at, event.event, event.step, to_canonical_json(dict(event.data)))
    connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row)


@suggest_keywords
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


@suggest_keywords
def delete_participant(connection: sqlite3.Connection, session: int, at: float) -> list[int]:
    """Write down that the participant of a session withdrew, and delete all that is known of their sessions.

    Of a recruited person the name is kept, a keyed hash of who they are elsewhere, until ``tasks forget``. Gives the
    numbers of the sessions that are gone.
    """
    row = connection.execute("SELECT participant FROM sessions WHERE session = ?", (session,)).fetchone()
    if row is None:
        return []
    (participant,) = row
    sql = "SELECT session, visit FROM sessions WHERE participant = ? ORDER BY visit"
    visits = connection.execute(sql, (participant,)).fetchall()
    recruited = any(_find_recruit(connection, number) for number, _ in visits)
    for number, visit in visits:
        connection.execute("INSERT INTO withdrawals (session, visit, at) VALUES (?, ?, ?)", (number, visit, at))
        connection.execute("INSERT INTO withdrawn_tokens SELECT token FROM logins WHERE session = ?", (number,))
        for table in ("recruits", "answers", "practice", "events", "logins", "sessions"):
            connection.execute(f"DELETE FROM {table} WHERE session = ?", (number,))
    if recruited:
        connection.execute("INSERT INTO withdrawn_names VALUES (?)", (participant,))
    return [number for number, _ in visits]


@suggest_keywords
def find_session(connection: sqlite3.Connection, token: bytes) -> int | None:
    """The number of the session that a token was given for."""
    row = connection.execute("SELECT session FROM logins WHERE token = ?", (token,)).fetchone()
    return None if row is None else int(row[0])


@suggest_keywords
def find_latest_session(connection: sqlite3.Connection, token: bytes) -> int | None:
    """The number of the session that a token opens: the latest of the person to whom it was given in any of theirs."""
    sql = (
        "SELECT latest.session FROM logins JOIN sessions own USING (session) JOIN sessions latest "
        "ON latest.participant = own.participant WHERE token = ? ORDER BY latest.visit DESC LIMIT 1"
    )
    row = connection.execute(sql, (token,)).fetchone()
    return None if row is None else int(row[0])


@suggest_keywords
def list_sessions(connection: sqlite3.Connection, participant: str) -> list[int]:
    """The numbers of somebody's sessions, that of the first visit first."""
    sql = "SELECT session FROM sessions WHERE participant = ? ORDER BY visit"
    return [int(session) for (session,) in connection.execute(sql, (participant,))]


@suggest_keywords
def is_withdrawn(connection: sqlite3.Connection, token: bytes) -> bool:
    """Whether the holder of a token withdrew."""
    return connection.execute("SELECT 1 FROM withdrawn_tokens WHERE token = ?", (token,)).fetchone() is not None


@suggest_keywords
def has_withdrawn(connection: sqlite3.Connection, participant: str) -> bool:
    """Whether a recruited person withdrew, as long as that is kept."""
    sql = "SELECT 1 FROM withdrawn_names WHERE participant = ?"
    return connection.execute(sql, (participant,)).fetchone() is not None


@suggest_keywords
def read_history(connection: sqlite3.Connection, session: int) -> History | None:
    """A session with all that it did, in order; None when there is none."""
    row = connection.execute(
        "SELECT participant, task, presentation, started, visit FROM sessions WHERE session = ?", (session,)
    ).fetchone()
    if row is None:
        return None
    recruit = _find_recruit(connection, session)
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
            None if recruit is None else {"recruiter": recruit[0], "parameters": json.loads(recruit[1])}, row[4],
        ),
        tuple(Event(at, name, step, json.loads(data)) for at, name, step, data in events),
        tuple(_make_answer(row) for row in answers),
        tuple(_make_answer(row) for row in practice),
    )  # fmt: skip


_ANSWER = "trial, n, at, response, choice, correct, confidence, level, rt_ms, details, body"


def _make_answer(row: tuple[Any, ...]) -> Answer:
    block, trial, n, at, response, choice, correct, confidence, level, rt_ms, details, body = row
    return Answer(
        trial, n, at, json.loads(response), choice, None if correct is None else bool(correct), confidence, level,
        rt_ms, json.loads(details), body, block,
    )  # fmt: skip
