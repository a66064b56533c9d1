"""How each participant went through an experiment, counted by the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from beholder._core.errors import suggest_keywords
from beholder.responses._evidence import Evidence, Trace, summarize_evidence
from beholder.responses._exclusions import ParticipantSummary, list_exclusions
from beholder.responses._records import NOTES, SKIPPED
from beholder.responses._scoring import get_answer_form


@final
@dataclass(frozen=True)
class Progress:
    """One session of a participant in numbers.

    Attributes
    ----------
    session : int
    participant : str
    task : int
    step : str
        Where they are.
    started, last : float
        Seconds since 1970: when they came, and when they last did something.
    n_trials, n_answered, n_main, n_main_correct : int
        Trials of the task; answers; answers to main trials that can be right, and those that are.
    response_time_s : float
        Sum of response times.
    conduct : ParticipantSummary
    exclusions : tuple of str
        Rules that are broken; of unfinished participants ``unfinished`` alone.
    visit : int
        Which of the participant's sessions, from 1.
    completed : float or None
        When the last trial was answered, seconds since 1970.
    evidence : Evidence
        On whether a person answered.
    skipped : tuple of int
        Numbers in the task of the trials that could not be shown, and that the participant went on without.
    """

    session: int
    participant: str
    task: int
    step: str
    started: float
    last: float
    n_trials: int
    n_answered: int
    n_main: int
    n_main_correct: int
    response_time_s: float
    conduct: ParticipantSummary
    exclusions: tuple[str, ...]
    visit: int = 1
    completed: float | None = None
    evidence: Evidence = field(default_factory=Evidence)
    skipped: tuple[int, ...] = ()


_ANSWERED = """
SELECT a.session, count(*), sum(t.role = 'catch' AND a.correct IS NOT NULL),
    sum(t.role = 'catch' AND a.correct = 1), sum(t.role <> 'catch' AND a.correct IS NOT NULL),
    sum(t.role <> 'catch' AND a.correct = 1), max(a.at), sum(a.rt_ms) / 1000
FROM answers a JOIN sessions s USING (session) JOIN trials t ON t.task = s.task AND t.n = a.n
WHERE :session IS NULL OR a.session = :session GROUP BY a.session
"""
_LAST = """
SELECT s.session, s.participant, s.task, s.started, (SELECT e.step FROM events e WHERE e.session = s.session
    ORDER BY e.seq DESC LIMIT 1), max(coalesce((SELECT max(e.at) FROM events e WHERE e.session = s.session), 0),
    coalesce((SELECT max(p.at) FROM practice p WHERE p.session = s.session), 0)),
    (SELECT count(*) FROM trials t WHERE t.task = s.task), s.visit
FROM sessions s WHERE :session IS NULL OR s.session = :session ORDER BY s.session
"""


@suggest_keywords
def read_progress(
    connection: sqlite3.Connection, description: Mapping[str, Any], session: int | None = None
) -> list[Progress]:
    """Every session of those who did not withdraw, in the order in which they began.

    Parameters
    ----------
    description : mapping
        Of the experiment, as :func:`beholder.responses.read_description` gives it.
    session : int, optional
        This one alone.
    """
    asked = {"session": session}
    one = "WHERE (:session IS NULL OR session = :session)"
    rows = get_answer_form(description["kind"]).rows
    rules: dict[str, Any] = description["settings"].get("exclusion") or {}
    answered = {row[0]: row[1:] for row in connection.execute(_ANSWERED, asked)}
    chosen: dict[int, dict[str, int]] = {}
    if rows:
        sql = f"SELECT session, json_extract(response, '$.choice'), count(*) FROM answers {one} GROUP BY 1, 2"
        for number, choice, n in connection.execute(sql, asked):
            chosen.setdefault(number, {})[str(choice)] = n
    events: dict[int, list[tuple[str, float]]] = {}
    marks = ", ".join(f":note_{k}" for k in range(len(NOTES)))
    sql = f"SELECT session, event, at FROM events {one} AND event NOT IN ({marks}) ORDER BY session, seq"
    for number, event, at in connection.execute(sql, {**asked, **{f"note_{k}": name for k, name in enumerate(NOTES)}}):
        events.setdefault(number, []).append((event, at))
    evidence = read_evidence(connection, session)
    skipped: dict[int, list[int]] = {}
    sql = (
        f"SELECT session, json_extract(data, '$.n') FROM events {one} AND event = :skipped "
        "AND json_extract(data, '$.block') = 0 ORDER BY session, seq"
    )
    for number, trial in connection.execute(sql, {**asked, "skipped": SKIPPED}):
        skipped.setdefault(number, []).append(trial)
    progress: list[Progress] = []
    for number, participant, task, started, step, last, n_trials, visit in connection.execute(_LAST, asked).fetchall():
        n, n_catch, catch_correct, n_main, main_correct, last_answer, response_s = answered.get(
            number, (0, 0, 0, 0, 0, None, 0.0)
        )
        times = dict(events.get(number, []))
        names = [name for name, _ in events.get(number, [])]
        begun, read = times.get("consent"), times.get("instructions")
        conduct = ParticipantSummary(
            finished="answered_all" in times,
            n_catch=n_catch,
            n_catch_correct=catch_correct or 0,
            time_s=_subtract(last_answer, started),
            instructions_s=_subtract(read, begun),
            row_choices=tuple(chosen.get(number, {}).get(row, 0) for row in rows),
            practice_blocks=names.count("practice_block"),
            signs=evidence[number].signs,
        )
        broken = list_exclusions(conduct, rules)
        progress.append(
            Progress(
                number, participant, task, step, started, max(last, last_answer or 0.0), n_trials, n, n_main,
                main_correct or 0, response_s, conduct, broken if conduct.finished else broken[:1], visit,
                times.get("answered_all"), evidence[number], tuple(skipped.get(number, ())),
            )
        )  # fmt: skip
    return progress


def count_visits(description: Mapping[str, Any]) -> int:
    """How many sessions a participant has, by the description of an experiment."""
    sessions: dict[str, Any] = description["settings"].get("sessions") or {}
    return int(sessions.get("n", 1))


def read_evidence(connection: sqlite3.Connection, session: int | None = None) -> dict[int, Evidence]:
    """What is stored on whether a person answered, by session; of one session alone where it is given."""
    asked, one = {"session": session}, "(:session IS NULL OR session = :session)"
    traces: dict[int, list[Trace]] = {}
    others: dict[int, list[Mapping[str, Any]]] = {}
    before: tuple[int, float] | None = None
    sent = "json_extract({}, '$.evidence') AS sent"
    sql = f"SELECT session, at, rt_ms, {sent.format('details')} FROM answers WHERE {one} ORDER BY session, trial"
    for number, at, rt_ms, counted in connection.execute(sql, asked):
        elapsed_ms = 1000 * (at - before[1]) if before is not None and before[0] == number else None
        traces.setdefault(number, []).append(Trace(rt_ms, elapsed_ms, json.loads(counted) if counted else None))
        before = number, at
    for table, column in (("events", "data"), ("practice", "details")):
        sql = f"SELECT session, {sent.format(column)} FROM {table} WHERE sent IS NOT NULL AND {one}"
        for number, counted in connection.execute(sql, asked):
            others.setdefault(number, []).append(json.loads(counted))
    sessions = connection.execute(f"SELECT session FROM sessions WHERE {one}", asked).fetchall()
    return {number: summarize_evidence(traces.get(number, []), others.get(number, [])) for (number,) in sessions}


def _subtract(end: float | None, begin: float | None) -> float | None:
    """Seconds between two moments; None where a clock that was set back makes nonsense of them."""
    return None if end is None or begin is None or end < begin else end - begin


def read_last_data(connection: sqlite3.Connection, event: str) -> dict[int, Mapping[str, Any]]:
    """What the page sent with a step, by session."""
    sql = "SELECT session, data FROM events WHERE event = ? ORDER BY session, seq"
    return {session: json.loads(data) for session, data in connection.execute(sql, (event,))}
