"""The file: never changed, self-contained, one writer, deleted only by withdrawal."""

from __future__ import annotations

import contextlib
import hashlib
import json
import operator
import random
import sqlite3
from pathlib import Path

import pytest

from beholder._core.errors import ConfigurationChanged, InputError, OutputBusy, UnknownNameError
from beholder.responses import (
    EVENTS,
    Answer,
    Event,
    ResponseStore,
    TakerLog,
    backup_responses,
    connect_for_reading,
    count_takers,
    delete_participant,
    find_session,
    forget_recruits,
    has_withdrawn,
    insert_answer,
    insert_event,
    insert_login,
    insert_recruit,
    insert_session,
    is_withdrawn,
    list_sessions,
    open_responses,
    read_description,
    read_history,
    read_status,
    read_takers,
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
        insert_recruit(connection, session, "prolific", {"PROLIFIC_PID": "abc"}, 10.0)
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
        "UPDATE logins SET session = 1",
        "DELETE FROM logins",
        "UPDATE recruits SET recruiter = 'none'",
        "UPDATE withdrawals SET at = 0",
        "DELETE FROM withdrawals",
        "DELETE FROM withdrawn_tokens",
        "REPLACE INTO answers SELECT session, trial, n, at, response, choice, 0, confidence, level, rt_ms, details, "
        "body FROM answers",
    ],
)
def test_rows_are_never_changed(store: ResponseStore, sql: str) -> None:
    """By any program that opens the file, ours or not."""
    session = add_session(store)
    store.write(lambda connection: insert_answer(connection, session, make_answer(1)))
    store.write(lambda connection: insert_answer(connection, session, make_answer(1, block=1)))
    store.write(lambda connection: insert_recruit(connection, session, "prolific", {"PROLIFIC_PID": "a"}, 10.0))
    store.withdraw(add_session(store, "gone"), 20.0).result()
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
    known = {"PROLIFIC_PID": "secret-prolific-id"}
    store.write(lambda connection: insert_recruit(connection, gone, "prolific", known, 10.0))
    assert store.withdraw(gone, 99.0).result() == [gone]
    store.flush_deleted()
    for table in ("sessions", "events", "answers", "practice"):
        assert count(store.path, table) == 1, table
    assert count(store.path, "recruits") == 0 and count(store.path, "withdrawals") == 1
    left = b"".join(path.read_bytes() for path in store.path.parent.iterdir() if path.name.startswith("answers.db"))
    assert b"secret" not in left
    assert store.read(lambda connection: is_withdrawn(connection, b"gone-participant"))
    assert store.read(lambda connection: find_session(connection, b"gone-participant")) is None
    assert not store.withdraw(gone, 100.0).result()
    assert add_session(store, "next") > gone


def test_forgetting_deletes_ids_and_changes_the_key(store: ResponseStore) -> None:
    session = add_session(store)
    known = {"PROLIFIC_PID": "somebody-known"}
    store.write(lambda connection: insert_recruit(connection, session, "prolific", known, 10.0))
    old = store.read_meta("key")
    with pytest.raises(OutputBusy):
        forget_recruits(store.path)
    store.close()
    assert forget_recruits(store.path) == 1
    assert b"somebody-known" not in store.path.read_bytes() and old.encode() not in store.path.read_bytes()
    assert count(store.path, "sessions") == 1


def test_a_person_may_come_on_several_visits_each_once(store: ResponseStore) -> None:
    def come(visit: int, token: bytes) -> int:
        work = lambda connection: insert_session(connection, "p1", token, 1, json.dumps(SHOWN), 9.0, visit)  # noqa: E731
        return store.write(work)

    first, second = come(1, b"a"), come(2, b"b")
    assert store.read(lambda connection: list_sessions(connection, "p1")) == [first, second]
    history = store.read(lambda connection: read_history(connection, second))
    assert history is not None and history.session.visit == 2
    for visit, token in ((2, b"c"), (3, b"a"), (0, b"d")):  # the visit again, the token again, no visit
        with pytest.raises(sqlite3.IntegrityError):
            come(visit, token)
    assert store.read(lambda connection: list_sessions(connection, "p1")) == [first, second]


def test_every_token_of_a_session_opens_it_and_goes_with_the_person(store: ResponseStore) -> None:
    kept = add_session(store, "kept")
    first = add_session(store, "gone")
    again = store.write(lambda c: insert_session(c, "gone", b"visit 2", 1, json.dumps(SHOWN), 20.0, visit=2))
    store.write(lambda connection: insert_login(connection, first, b"laptop", 15.0))
    tokens = {b"gone": first, b"laptop": first, b"visit 2": again}
    for token, session in tokens.items():
        assert store.read(lambda connection, t=token: find_session(connection, t)) == session
    assert store.withdraw(again, 30.0).result() == [first, again]
    for token in tokens:
        assert store.read(lambda connection, t=token: find_session(connection, t)) is None
        assert store.read(lambda connection, t=token: is_withdrawn(connection, t))
    assert not store.read(lambda connection: has_withdrawn(connection, "gone"))  # nobody knows who that was
    assert read_status(store.path).n_withdrawn == 1
    assert [count(store.path, table) for table in ("sessions", "logins", "events")] == [1, 1, 1]
    assert store.read(lambda connection: find_session(connection, b"kept")) == kept


def test_that_a_recruited_person_withdrew_is_known_until_it_is_forgotten(store: ResponseStore) -> None:
    session = add_session(store)
    for at, place in ((10.0, "a"), (11.0, "a"), (12.0, "b")):
        known = {"PROLIFIC_PID": "somebody-known", "SESSION_ID": place}
        store.write(lambda connection, k=known, at=at: insert_recruit(connection, session, "prolific", k, at))
    assert count(store.path, "recruits") == 2  # the same once more adds nothing
    history = store.read(lambda connection: read_history(connection, session))
    assert history is not None and history.session.recruit is not None
    assert history.session.recruit["parameters"]["SESSION_ID"] == "b"
    store.withdraw(session, 20.0).result()
    assert store.read(lambda connection: has_withdrawn(connection, "p1"))
    store.close()
    assert forget_recruits(store.path) == 1
    assert count(store.path, "withdrawn_names") == 0 and count(store.path, "withdrawals") == 1


def test_events_have_known_names(store: ResponseStore) -> None:
    session = add_session(store)
    with pytest.raises(UnknownNameError, match="'consent'"):
        store.write(lambda connection: insert_event(connection, session, Event(11.0, "consnet", "instructions")))


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
    assert store.read(lambda connection: count_takers(read_takers(connection), 900.0, ends)) == {1: 2, 2: 1}
    assert store.read(lambda connection: count_takers(read_takers(connection), 0.0, ends)) == {1: 3, 2: 1}


def test_takers_that_are_kept_are_those_of_the_file(store: ResponseStore) -> None:
    """Whatever happens, and however much between two people who come, nobody is missed and nobody stays."""
    log, rng, sessions = TakerLog(), random.Random(3), []
    by_session = operator.attrgetter("session")

    def act(connection: sqlite3.Connection) -> None:
        kind, now = rng.random(), rng.uniform(100, 200)
        if kind < 0.3 or not sessions:
            number = insert_session(connection, f"p{len(sessions)}-{now}", None, 1 + len(sessions) % 2, "{}", now)
            insert_event(connection, number, Event(now, "join", "consent"))
            sessions.append(number)
        elif kind < 0.4:
            number = sessions.pop(rng.randrange(len(sessions)))
            delete_participant(connection, number, now)
        else:
            number, name = rng.choice(sessions), rng.choice(["consent", "answered_all", "debrief"])
            insert_event(connection, number, Event(now, name, rng.choice(["trials", "declined", "done"])))
        log.note(number)

    for _ in range(300):
        store.write(act)
        if rng.random() < 0.3:
            kept, whole = store.read(lambda connection: (log.read(connection), read_takers(connection)))
            assert sorted(kept, key=by_session) == sorted(whole, key=by_session)
    assert len(sessions) > 20
    log.forget()
    assert sorted(store.read(log.read), key=by_session) == sorted(store.read(read_takers), key=by_session)


def test_every_event_stands_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.partition("| event | is |")[2].splitlines()[2:]]
    written = {row[0].strip("| `"): row[1].strip("| ") for row in rows[: rows.index([""])]}
    assert written == dict(EVENTS)
