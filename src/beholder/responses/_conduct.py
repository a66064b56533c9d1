"""How each participant went through an experiment, counted by the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from beholder.responses._exclusions import Conduct, list_exclusions
from beholder.responses._scoring import get_answer_form


@final
@dataclass(frozen=True)
class Progress:
    """One participant in numbers.

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
    conduct : Conduct
    exclusions : tuple of str
        Rules that are broken; of unfinished participants ``unfinished`` alone.
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
    conduct: Conduct
    exclusions: tuple[str, ...]


_ANSWERED = """
SELECT a.session, count(*), sum(t.role = 'catch' AND a.correct IS NOT NULL),
    sum(t.role = 'catch' AND a.correct = 1), sum(t.role <> 'catch' AND a.correct IS NOT NULL),
    sum(t.role <> 'catch' AND a.correct = 1), max(a.at), sum(a.rt_ms) / 1000
FROM answers a JOIN sessions s USING (session) JOIN trials t ON t.task = s.task AND t.n = a.n GROUP BY a.session
"""
_LAST = """
SELECT s.session, s.participant, s.task, s.started, (SELECT e.step FROM events e WHERE e.session = s.session
    ORDER BY e.seq DESC LIMIT 1), max(coalesce((SELECT max(e.at) FROM events e WHERE e.session = s.session), 0),
    coalesce((SELECT max(p.at) FROM practice p WHERE p.session = s.session), 0)),
    (SELECT count(*) FROM trials t WHERE t.task = s.task)
FROM sessions s ORDER BY s.session
"""


def read_progress(connection: sqlite3.Connection, description: Mapping[str, Any]) -> list[Progress]:
    """Every participant who did not withdraw, in the order in which they came.

    Parameters
    ----------
    description : mapping
        Of the experiment, as :func:`beholder.responses.read_description` gives it.
    """
    rows = get_answer_form(description["kind"]).rows
    rules = description["settings"].get("exclusion") or {}
    answered = {row[0]: row[1:] for row in connection.execute(_ANSWERED)}
    chosen: dict[int, dict[str, int]] = {}
    if rows:
        sql = "SELECT session, json_extract(response, '$.choice'), count(*) FROM answers GROUP BY 1, 2"
        for session, choice, n in connection.execute(sql):
            chosen.setdefault(session, {})[str(choice)] = n
    events: dict[int, list[tuple[str, float]]] = {}
    for session, event, at in connection.execute("SELECT session, event, at FROM events ORDER BY session, seq"):
        events.setdefault(session, []).append((event, at))
    progress = []
    for session, participant, task, started, step, last, n_trials in connection.execute(_LAST).fetchall():
        n, n_catch, catch_correct, n_main, main_correct, last_answer, response_s = answered.get(
            session, (0, 0, 0, 0, 0, None, 0.0)
        )
        times = dict(events.get(session, []))
        names = [name for name, _ in events.get(session, [])]
        begun, read = times.get("consent"), times.get("instructions")
        conduct = Conduct(
            finished="answered_all" in times,
            n_catch=n_catch,
            n_catch_correct=catch_correct or 0,
            time_s=None if last_answer is None else last_answer - started,
            instructions_s=None if begun is None or read is None else read - begun,
            row_choices=tuple(chosen.get(session, {}).get(row, 0) for row in rows),
            practice_blocks=names.count("practice_block"),
        )
        broken = list_exclusions(conduct, rules)
        progress.append(
            Progress(
                session, participant, task, step, started, max(last, last_answer or 0.0), n_trials, n, n_main,
                main_correct or 0, response_s, conduct, broken if conduct.finished else broken[:1],
            )
        )  # fmt: skip
    return progress


def read_last_data(connection: sqlite3.Connection, event: str) -> dict[int, Mapping[str, Any]]:
    """What the page sent with a step, by session."""
    sql = "SELECT session, data FROM events WHERE event = ? ORDER BY session, seq"
    return {session: json.loads(data) for session, data in connection.execute(sql, (event,))}
