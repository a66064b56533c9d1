"""From the file of answers to tables: a row a trial, a row a participant."""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

from beholder._core.durations import DAY_S
from beholder._core.errors import suggest_keywords
from beholder._core.narrowing import class_of
from beholder._core.notebooks import render_table
from beholder._core.wording import format_count
from beholder.responses._columns import (
    BLOCK_COLUMN,
    EVIDENCE,
    MEASURES,
    OBSERVER_COLUMNS,
    Column,
    list_participant_columns,
    list_trial_columns,
    name_conditions,
)
from beholder.responses._conduct import Progress, count_visits, read_last_data, read_progress
from beholder.responses._reading import open_for_reading, read_description
from beholder.responses._records import NOT_SHOWN, PRESENTED
from beholder.responses._scoring import get_answer_form

if TYPE_CHECKING:
    import pandas as pd


@final
@dataclass(frozen=True, repr=False, eq=False)
class Responses:
    """The answers of an experiment, as of one moment.

    Attributes
    ----------
    kind : str
        Of the task.
    trials : pandas.DataFrame
        A row a trial, columns as in :data:`~beholder.responses._columns.TRIAL_COLUMNS` and one for each condition.
    practice : pandas.DataFrame
        A row a practice trial; ``block`` comes first.
    participants : pandas.DataFrame
        A row a participant; where participants have several sessions, a row a session.
    conditions : mapping of str to str
        Condition of the plan to its column.
    rules : mapping
        The rules of exclusion.
    n_visits : int
        Sessions that a participant has; each is judged by itself.
    n_choices : int
        Answers that a trial can be given; 0 where it is not known.
    """

    kind: str
    trials: pd.DataFrame
    practice: pd.DataFrame
    participants: pd.DataFrame
    conditions: Mapping[str, str]
    rules: Mapping[str, Any]
    n_visits: int = 1
    n_choices: int = 0

    def __repr__(self) -> str:
        n_out = int(self.participants["excluded"].to_numpy(bool).sum())
        sessions = f" in {format_count(len(self.participants), 'session')}" if self.n_visits > 1 else ""
        people = f"{format_count(self.n_participants, 'participant')}{sessions}"
        return (
            f"Responses({self.kind}, {format_count(len(self.trials), 'answer')} of {people}, {n_out} of them excluded)"
        )

    @property
    def n_participants(self) -> int:
        """How many people are in the file, however many sessions they had."""
        return len(set(self.participants["participant"]))

    @property
    def included(self) -> pd.DataFrame:
        """The trials of sessions that were finished and break no rule."""
        return cast("pd.DataFrame", self.trials.loc[~self.trials["excluded"].to_numpy(bool)])

    def _repr_html_(self) -> str:
        """Its first rows, for notebooks."""
        return render_table(repr(self), self.to_pandas())

    def to_pandas(self) -> pd.DataFrame:
        """All trials."""
        return self.trials


@suggest_keywords
def read_responses(path: Path | str, *, dates: bool = False) -> Responses:
    """Read a file of answers into tables, while a server may be writing to it.

    Parameters
    ----------
    path : path
        The SQLite file of ``beholder tasks serve`` or ``simulate``.
    dates : bool
        Give ``participants`` a column ``date``, the day in UTC on which each session began.

    Raises
    ------
    InputError
        No file of answers.

    Examples
    --------
    >>> responses = read_responses("answers.db")  # doctest: +SKIP
    >>> responses.included.groupby("mode")["correct"].mean()  # doctest: +SKIP
    """
    with open_for_reading(path) as connection:
        description = read_description(connection)
        progress = read_progress(connection, description)
        n_visits = count_visits(description)
        keys = _read_keys(connection)
        names = sorted({name for key in keys.values() for name in key["conditions"]})
        conditions = name_conditions(names, n_visits > 1)
        shown = _read_shown(connection)
        presented = _read_presented(connection)
        people = {each.session: each for each in progress}
        answers = connection.execute(f"SELECT session, 0, {_FIELDS} FROM answers ORDER BY session, trial")
        trials = _make_rows(answers, description["kind"], people, keys, shown, presented, conditions)
        answers = connection.execute(f"SELECT session, block, {_FIELDS} FROM practice ORDER BY session, block, trial")
        practice = _make_rows(answers, description["kind"], people, keys, shown, presented, conditions)
        participants = _list_participants(connection, progress)
        observers = _list_observers(connection, progress)
    if n_visits > 1:
        trials, practice = ([_add_visit(row, people) for row in rows] for rows in (trials, practice))
        away = _list_days_away(progress)
        participants = [
            [*row[:2], each.visit, days, *row[2:]] for row, each, days in zip(participants, progress, away, strict=True)
        ]
    if dates:
        days = [datetime.datetime.fromtimestamp(each.started, datetime.UTC).date().isoformat() for each in progress]
        participants = [[*row, day] for row, day in zip(participants, days, strict=True)]
    told = [column.name for column in OBSERVER_COLUMNS if any(each[column.name] is not None for each in observers)]
    participants = [[*row, *(each[name] for name in told)] for row, each in zip(participants, observers, strict=True)]
    return Responses(
        description["kind"],
        _make_frame([row[1:] for row in trials], list_trial_columns(n_visits > 1), conditions.values()),
        _make_frame(practice, (BLOCK_COLUMN, *list_trial_columns(n_visits > 1)), conditions.values()),
        _make_frame(participants, list_participant_columns(n_visits > 1, dates, told)),
        conditions,
        description["settings"].get("exclusion") or {},
        n_visits,
        _count_choices(description),
    )


def _count_choices(description: Mapping[str, Any]) -> int:
    settings = description["settings"]
    form = get_answer_form(description["kind"])
    return len(form.list_values(settings.get("choices") or (), settings.get("rating_steps") or 0))


_FIELDS = "trial, n, at, response, choice, correct, confidence, level, rt_ms, details"
_AT = 4  # after session and block


def _read_keys(connection: sqlite3.Connection) -> dict[tuple[int, int], dict[str, Any]]:
    rows = connection.execute("SELECT task, n, role, mode, unit, correct, conditions, levels FROM trials")
    return {
        (task, n): {
            "role": role, "mode": mode, "unit": json.loads(unit) if unit else None, "correct": correct,
            "conditions": json.loads(conditions), "levels": json.loads(levels),
        }
        for task, n, role, mode, unit, correct, conditions, levels in rows
    }  # fmt: skip


def _read_shown(connection: sqlite3.Connection) -> dict[tuple[int, int], list[Any]]:
    """Trials as presented, by session and practice block (0: the main trials)."""
    found: dict[tuple[int, int], list[Any]] = {}
    for session, text in connection.execute("SELECT session, presentation FROM sessions"):
        presentation = json.loads(text)
        for block, rows in enumerate([presentation["main"], *presentation["practice"]]):
            found[session, block] = rows
    return found


def _read_presented(connection: sqlite3.Connection) -> dict[tuple[int, int, int], tuple[int | None, int | None, int]]:
    """How often a trial as presented was shown, was not any more, and could not be: by session, block and trial."""
    place = "session, json_extract(data, '$.block'), json_extract(data, '$.trial')"
    sql = f"SELECT {place}, count(*) FROM events WHERE event = ? GROUP BY 1, 2, 3"
    failures = {(session, block, trial): n for session, block, trial, n in connection.execute(sql, (NOT_SHOWN,))}
    found: dict[tuple[int, int, int], tuple[int | None, int | None, int]] = {
        where: (None, None, n) for where, n in failures.items()
    }
    sql = (
        f"SELECT {place}, sum(json_extract(data, '$.shown')), sum(1 - json_extract(data, '$.shown')) "
        "FROM events WHERE event = ? GROUP BY 1, 2, 3"
    )
    for session, block, trial, shown, withheld in connection.execute(sql, (PRESENTED,)):
        where = session, block, trial
        found[where] = shown, withheld, failures.get(where, 0)
    return found


def _make_rows(answers: Iterable[Sequence[Any]], *about: Any) -> list[list[Any]]:
    """A row an answer, in the order in which they were given."""
    rows: list[list[Any]] = []
    before: Sequence[Any] | None = None
    for row in answers:
        follows = before is not None and before[:2] == row[:2]
        rows.append(_make_row(row, 1000 * (row[_AT] - before[_AT]) if before is not None and follows else None, *about))
        before = row
    return rows


def _make_row(
    row: Sequence[Any],
    elapsed_ms: float | None,
    kind: str,
    people: Mapping[int, Progress],
    keys: Mapping[tuple[int, int], Mapping[str, Any]],
    shown: Mapping[tuple[int, int], Sequence[Any]],
    presented: Mapping[tuple[int, int, int], Sequence[int | None]],
    conditions: Mapping[str, str],
) -> list[Any]:
    session, block, trial, n, at, response, choice, correct, confidence, level, rt_ms, details = row
    person, measured = people[session], json.loads(details)
    key = keys[0 if block else person.task, n]
    unit: Mapping[str, Any] = key["unit"] or {}
    unit_name = f"{unit['model']}/{unit['layer']}/{unit['channel']}" if unit else None
    evidence: Mapping[str, Any] = measured.get("evidence") or {}
    pressed = json.loads(response)[get_answer_form(kind).name]
    return [
        block, person.participant, session, person.task, trial, key["mode"], unit_name, choice,
        None if correct is None else bool(correct), confidence, key["role"] == "catch", rt_ms, bool(person.exclusions),
        " ".join(person.exclusions), str(pressed), key["correct"], n, key["role"], unit.get("model"),
        unit.get("layer"), unit.get("channel"), unit.get("batch"),
        None if level is None else key["levels"][level],
        json.dumps(shown[session, block][trial - 1][1], sort_keys=True, separators=(",", ":")), at - person.started,
        *presented.get((session, block, trial), (None, None, 0)),
        *(measured.get(group, {}).get(name) for group, name in MEASURES.values()),
        elapsed_ms, evidence.get("webdriver"), *(evidence.get(name) for name in EVIDENCE.values()),
        *(key["conditions"].get(name) for name in conditions),
    ]  # fmt: skip


def _add_visit(row: list[Any], people: Mapping[int, Progress]) -> list[Any]:
    """Which session it was stands after the session's number."""
    block, participant, session, *rest = row
    return [block, participant, session, people[session].visit, *rest]


def _list_days_away(progress: Sequence[Progress]) -> list[float | None]:
    """Days between the end of the session before and the beginning of each; None of first ones."""
    completed = {(each.participant, each.visit): each.completed for each in progress}
    before = [completed.get((each.participant, each.visit - 1)) for each in progress]
    return [None if end is None else (each.started - end) / DAY_S for each, end in zip(progress, before, strict=True)]


def _list_participants(connection: sqlite3.Connection, progress: Sequence[Progress]) -> list[list[Any]]:
    consent, checks, comments, joins = (
        read_last_data(connection, event) for event in ("consent", "checks", "comment", "join")
    )
    rows: list[list[Any]] = []
    for each in progress:
        conduct, found, checked = each.conduct, each.evidence, checks.get(each.session, {})
        rows.append([
            each.participant, each.session, each.task, each.step, conduct.finished, bool(each.exclusions),
            " ".join(each.exclusions), each.n_trials, each.n_answered,
            len(each.skipped), " ".join(map(str, each.skipped)),
            each.n_main_correct / each.n_main if each.n_main else None, conduct.n_catch,
            conduct.n_catch_correct, conduct.catch_ratio, conduct.time_s, conduct.instructions_s,
            each.response_time_s, conduct.practice_blocks, min(conduct.row_choices) if conduct.row_choices else None,
            checked.get("headphones", {}).get("n_correct"), checked.get("calibration", {}).get("px_per_mm"),
            consent.get(each.session, {}).get("version"), _defuse(comments.get(each.session, {}).get("text")),
            bool(joins.get(each.session, {}).get("screen", {}).get("simulated")),
            " ".join(found.signs), found.is_driven, found.n_without_page, found.n_without_input, found.n_fast,
            found.n_early, found.spread_ms, *(found.totals[name] for name in EVIDENCE.values()),
        ])  # fmt: skip
    return rows


def _list_observers(connection: sqlite3.Connection, progress: Sequence[Progress]) -> list[dict[str, Any]]:
    """Of each session what a simulated network tells of itself, by :data:`OBSERVER_COLUMNS`; None where it is none."""
    joins, networks = (read_last_data(connection, event) for event in ("join", "observer"))
    found: list[dict[str, Any]] = []
    for each in progress:
        screen: Mapping[str, Any] = joins.get(each.session, {}).get("screen", {})
        told = {**networks.get(each.session, {}), "temperature": screen.get("temperature")}
        is_simulated = bool(screen.get("simulated"))
        found.append({column.name: told.get(column.name) if is_simulated else None for column in OBSERVER_COLUMNS})
    return found


def _defuse(text: str | None) -> str | None:
    """A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return "'" + text if text and text[0] in "=+-@\t\r" else text


def _make_frame(rows: Sequence[Sequence[Any]], columns: Sequence[Column], extra: Iterable[str] = ()) -> pd.DataFrame:
    """A frame of the columns' types; those of conditions are inferred."""
    import pandas as pd

    names = [column.name for column in columns]
    values = list(zip(*rows, strict=True)) if rows else [()] * (len(names) + len(list(extra)))
    made: dict[str, Any] = {}
    for k, column in enumerate(columns):
        made[column.name] = pd.array([_fit(value, column.dtype) for value in values[k]], dtype=column.dtype)  # type: ignore[call-overload]
    for k, name in enumerate(extra, start=len(columns)):
        made[name] = _infer(values[k])
    return pd.DataFrame(made)


def _fit(value: Any, dtype: str) -> Any:
    """A measurement of another type than its column's is left empty: pages measure, people may forge."""
    if value is None:
        return None
    if dtype == "boolean":
        return bool(value) if isinstance(value, bool | int) else None
    if dtype == "Float64":
        return float(value)
    return value


def _infer(values: Sequence[Any]) -> Any:
    """Numbers, truth values or texts where all are; else texts."""
    import pandas as pd

    present = [value for value in values if value is not None]
    kinds = {class_of(value) for value in present}
    if kinds == {bool}:
        return pd.array(list(values), dtype="boolean")
    if kinds == {int}:
        return pd.array(list(values), dtype="Int64")
    if kinds and kinds <= {int, float}:
        return pd.array([None if value is None else float(value) for value in values], dtype="Float64")
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pd.array(texts, dtype="string")
