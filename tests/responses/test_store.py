"""The file: never changed, self-contained, one writer, deleted only by withdrawal."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import pytest

from beholder._core.errors import ConfigurationChanged, InputError, OutputBusy
from beholder.responses import (
    Answer,
    Event,
    ResponseStore,
    backup_responses,
    connect_for_reading,
    count_takers,
    find_session,
    forget_recruits,
    insert_answer,
    insert_event,
    insert_recruit,
    insert_session,
    is_withdrawn,
    open_responses,
    read_description,
    read_history,
)

from .conftest import make_description, make_trials

_PLACES = {"upper": "query_max", "lower": "query_min"}
SHOWN = {"main": [[n, _PLACES] for n in (2, 1, 3)], "practice": [[[n, _PLACES] for n in (1, 2)]]}


def make_answer(trial: int, n: int = 1, *, block: int = 0, at: float = 20.0, choice: str = "upper") -> Answer:
    response = {"choice": choice, "confidence": 2}
    details = {"shown_at": 5.0, "window": {"dpr": 2, "fullscreen": True}, "frames": {"dropped": 1}, "audio": {}}
    slot = "query_max" if choice == "upper" else "query_min"
    body = hashlib.sha256(b"body").digest()
    return Answer(trial, n, at, response, slot, slot == "query_max", 2, None, 1600.5, details, body, block)


def add_session(store: ResponseStore, name: str = "p1", task: int = 1, started: float = 10.0) -> int:
    import json

    def work(connection: sqlite3.Connection) -> int:
        session = insert_session(connection, name, name.encode(), task, json.dumps(SHOWN), started)
        insert_event(connection, session, Event(started, "join", "consent", {}))
        return session

    return store.write(work)


def count(path: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_history_is_what_was_written(store: ResponseStore) -> None:
    session = add_session(store)
    events = [Event(11.0, "consent", "instructions", {"agreed": True, "version": "1"})]
    answers, practice = (make_answer(1), make_answer(2, 3, choice="lower")), (make_answer(1, 2, block=1),)

    def work(connection: sqlite3.Connection) -> None:
        insert_recruit(connection, session, "prolific", {"PROLIFIC_PID": "abc"})
        for event in events:
            insert_event(connection, session, event)
        for answer in (*answers, *practice):
            insert_answer(connection, session, answer)

    store.write(work)
    history = store.read(lambda connection: read_history(connection, session))
    assert history is not None
    assert (history.answers, history.practice, history.events[1:]) == (answers, practice, tuple(events))
    assert history.session.presentation == SHOWN and history.session.recruit is not None
    assert history.session.recruit["parameters"] == {"PROLIFIC_PID": "abc"}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE answers SET correct = 1",
        "UPDATE sessions SET task = 2",
        "UPDATE events SET step = 'done'",
        "UPDATE trials SET correct = 'query_min'",
        "UPDATE practice SET choice = 'x'",
        "DELETE FROM answers",
        "DELETE FROM practice",
        "DELETE FROM events",
        "DELETE FROM sessions",
        "REPLACE INTO answers SELECT session, trial, n, at, response, choice, 0, confidence, level, rt_ms, details, "
        "body FROM answers",
    ],
)
def test_rows_are_never_changed(store: ResponseStore, sql: str) -> None:
    """By any program that opens the file, ours or not."""
    session = add_session(store)
    store.write(lambda connection: insert_answer(connection, session, make_answer(1)))
    store.write(lambda connection: insert_answer(connection, session, make_answer(1, block=1)))
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA recursive_triggers = ON")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(sql)


def test_types_are_strict(store: ResponseStore) -> None:
    session = add_session(store)
    with contextlib.closing(sqlite3.connect(store.path)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(
            "INSERT INTO answers VALUES (?, 1, 1, 0.0, '{}', 'x', 'yes', 1, NULL, 1.0, '{}', x'00')", (session,)
        )


def test_a_second_answer_to_a_trial_is_refused(store: ResponseStore) -> None:
    session = add_session(store)
    store.write(lambda connection: insert_answer(connection, session, make_answer(1)))
    with pytest.raises(sqlite3.IntegrityError):
        store.write(lambda connection: insert_answer(connection, session, make_answer(1, choice="lower")))
    with pytest.raises(sqlite3.IntegrityError):
        store.write(lambda connection: insert_answer(connection, session + 1, make_answer(1)))


def test_withdrawal_deletes_every_row_and_every_byte(store: ResponseStore) -> None:
    kept, gone = add_session(store, "kept"), add_session(store, "gone-participant")
    secret = Event(12.0, "comment", "debrief", {"text": "a-secret-comment"})
    for session in (kept, gone):
        store.write(lambda connection, s=session: insert_answer(connection, s, make_answer(1)))
        store.write(lambda connection, s=session: insert_answer(connection, s, make_answer(1, block=1)))
    store.write(lambda connection: insert_event(connection, gone, secret))
    store.write(lambda connection: insert_recruit(connection, gone, "prolific", {"PROLIFIC_PID": "secret-prolific-id"}))
    assert store.withdraw(b"gone-participant", 99.0).result()
    store.flush_deleted()
    for table in ("sessions", "events", "answers", "practice"):
        assert count(store.path, table) == 1, table
    assert count(store.path, "recruits") == 0 and count(store.path, "withdrawals") == 1
    left = b"".join(path.read_bytes() for path in store.path.parent.iterdir() if path.name.startswith("answers.db"))
    assert b"secret" not in left
    assert store.read(lambda connection: is_withdrawn(connection, b"gone-participant"))
    assert store.read(lambda connection: find_session(connection, b"gone-participant")) is None
    assert not store.withdraw(b"gone-participant", 100.0).result()
    assert add_session(store, "next") > gone


def test_forgetting_deletes_ids_and_changes_the_key(store: ResponseStore) -> None:
    session = add_session(store)
    store.write(lambda connection: insert_recruit(connection, session, "prolific", {"PROLIFIC_PID": "somebody-known"}))
    old = store.read_meta("key")
    with pytest.raises(OutputBusy):
        forget_recruits(store.path)
    store.close()
    assert forget_recruits(store.path) == 1
    assert b"somebody-known" not in store.path.read_bytes() and old.encode() not in store.path.read_bytes()
    assert count(store.path, "sessions") == 1


def test_an_open_file_is_not_opened_twice(store: ResponseStore) -> None:
    with pytest.raises(OutputBusy, match="another db"):
        open_responses(store.path, make_description(), make_trials())
    store.close()
    open_responses(store.path, make_description(), make_trials()).close()


def test_another_experiment_is_refused_and_named(store: ResponseStore) -> None:
    store.close()
    with pytest.raises(ConfigurationChanged, match="disabled_ms was 0, now 1500"):
        open_responses(store.path, make_description(disabled_ms=1500), make_trials())
    open_responses(store.path).close()


def test_files_that_are_none_of_ours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file at"):
        connect_for_reading(tmp_path / "none.db")
    with pytest.raises(InputError, match="no file at"):
        open_responses(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("hello" * 200)
    with pytest.raises(InputError, match="not a database"):
        open_responses(tmp_path / "text.db", make_description())
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE a (b)")
    with pytest.raises(InputError, match="no such table"):
        connect_for_reading(tmp_path / "other.db")
    assert (tmp_path / "text.db").read_text() == "hello" * 200


def test_a_closed_file_can_be_read_from_a_folder_that_cannot_be_written(store: ResponseStore) -> None:
    store.close()
    with contextlib.closing(connect_for_reading(store.path)) as connection:
        assert read_description(connection)["kind"] == "2afc"
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM trials")


def test_backup_is_of_one_moment_while_writing_goes_on(store: ResponseStore, tmp_path: Path) -> None:
    session = add_session(store)
    futures = [
        store.submit(lambda connection, k=k: insert_answer(connection, session, make_answer(k))) for k in range(1, 200)
    ]
    copy = backup_responses(store.path, tmp_path / "copies" / "copy.db")
    for future in futures:
        future.result()
    store.write(lambda connection: insert_answer(connection, session, make_answer(500)))
    n = count(copy, "answers")
    assert n <= 199 and count(store.path, "answers") == 200
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        trials = [trial for (trial,) in connection.execute("SELECT trial FROM answers ORDER BY trial")]
        assert trials == list(range(1, n + 1))
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with pytest.raises(InputError, match="free"):
        backup_responses(store.path, copy)
    assert [path.name for path in copy.parent.iterdir()] == ["copy.db"]


def test_takers_are_those_who_are_through_and_those_who_are_here(store: ResponseStore) -> None:
    def go(name: str, task: int, *events: Event) -> int:
        session = add_session(store, name, task, started=100.0)
        for event in events:
            store.write(lambda connection, e=event: insert_event(connection, session, e))
        return session

    go("here", 1, Event(950.0, "consent", "instructions"))
    go("left", 1, Event(300.0, "consent", "instructions"))
    go("through", 2, Event(200.0, "answered_all", "comment"))
    go("declined", 2, Event(990.0, "consent", "declined"))
    go("screened", 2, Event(990.0, "practice_block", "screened_out"))
    answering = go("answering", 1, Event(300.0, "checks", "trials"))
    store.write(lambda connection: insert_answer(connection, answering, make_answer(1, at=940.0)))
    ends = ("done", "declined", "screened_out", "withdrawn")
    assert store.read(lambda connection: count_takers(connection, 900.0, ends)) == {1: 2, 2: 1}
    assert store.read(lambda connection: count_takers(connection, 0.0, ends)) == {1: 3, 2: 1}
