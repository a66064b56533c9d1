"""Several sessions of one person over HTTP: when each opens, what each shows, who holds a place, what is exported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.experiment_folders import write_folder

from beholder.cli._tasks_serve import export
from beholder.experiments import simulate_participants
from beholder.experiments.settings._visits import DAY_S
from beholder.responses import ResponseStore, export_responses, read_responses
from beholder.responses._status import read_status

from .person import Clock, Person, serving

NO_PRACTICE = {"practice.n_without": 0, "exclusion.automation": None}
TWO = {**NO_PRACTICE, "sessions.n": 2, "sessions.days_min": 1, "sessions.days_max": 3, "comment": False}
PROLIFIC = {**TWO, "recruiter": "prolific", "sessions.completion_codes": ["C1", "C2"]}
SCREEN = {"recruiter_params": {}, "screen": {}}


@contextmanager
def running(
    tmp_path: Path, changes: dict[str, Any] = TWO, **options: Any
) -> Iterator[tuple[TestClient, ResponseStore, Clock]]:
    """An experiment of two sessions for two participants: tasks 1 and 2, 3 and 4."""
    if not (tmp_path / "built").exists():
        write_folder(tmp_path / "built", "similarity", n_tasks=4, n_trials=2, n_catch=1, changes=changes)
    clock = options.pop("clock", None) or Clock()
    with serving(tmp_path / "built", tmp_path / "answers.db", clock=clock, **options) as (client, store):
        yield client, store, clock


def take_session(person: Person, rating: int = 4) -> dict[str, Any]:
    """From consent to the end."""
    person.begin()
    state = person.go_through("trials", lambda _: {"rating": rating})
    return person.step("debrief").json() if state["step"] == "debrief" else state


def begin_next(person: Person, **params: str) -> Any:
    return person.ask("POST", "/api/next", {"recruiter_params": params, "screen": {}})


def test_two_sessions_of_one_person(tmp_path: Path) -> None:
    with running(tmp_path) as (client, _, clock):
        person = Person(client)
        state = person.state()
        assert (state["visit"], state["n_visits"], state["upcoming"]) == (1, 2, None)
        assert begin_next(person).json()["code"] == "step"
        clock.now += 500
        state = take_session(person)
        ended = clock.now
        assert state["step"] == "done", "what it was about is told after the last session"
        assert state["upcoming"] == {
            "visit": 2, "state": "early", "opens_at": round(1000 * (ended + DAY_S)), "opens_in_ms": round(1000 * DAY_S),
            "closes_at": round(1000 * (ended + 3 * DAY_S)),
        }  # fmt: skip
        clock.now = ended + DAY_S - 1
        reply = begin_next(person)
        assert (reply.status_code, reply.json()["code"]) == (409, "early")
        assert person.state()["step"] == "done"
        clock.now = ended + 1.5 * DAY_S
        assert person.state()["upcoming"]["state"] == "open"
        state = begin_next(person).json()
        assert (state["step"], state["visit"], state["upcoming"]) == ("consent", 2, None)
        assert begin_next(person).json()["code"] == "step", "the session is begun once"
        person.begin()
        state = person.go_through("trials", lambda _: {"rating": 2})
        assert state["step"] == "debrief"
        state = person.step("debrief").json()
        assert (state["step"], state["visit"], state["upcoming"]) == ("done", 2, None)
        assert begin_next(person).status_code == 409
        made = read_responses(tmp_path / "answers.db")
    rows: Any = made.participants
    assert rows["participant"].nunique() == 1 and made.n_participants == 1
    assert rows["visit"].tolist() == [1, 2] and rows["task"].tolist() == [1, 2]
    assert rows["days_since_last"].isna().tolist() == [True, False]
    assert rows["days_since_last"][1] == pytest.approx(1.5)
    assert rows["step"].tolist() == ["done", "done"] and rows["finished"].all()
    assert rows["time_s"].tolist() == [500.0, 0.0], "each session has its own time"
    assert made.trials["visit"].tolist() == [1] * 3 + [2] * 3
    assert made.trials["choice"].tolist() == ["4"] * 3 + ["2"] * 3
    assert repr(made) == "Responses(similarity, 6 answers of 1 participant in 2 sessions, 0 of them excluded)"


def test_who_comes_too_late_finds_it_closed(tmp_path: Path) -> None:
    with running(tmp_path) as (client, _, clock):
        person = Person(client)
        take_session(person)
        clock.now += 3 * DAY_S
        assert person.state()["upcoming"]["state"] == "open", "the last moment is within"
        clock.now += 1
        assert person.state()["upcoming"]["state"] == "closed"
        assert begin_next(person).json()["code"] == "closed"
        assert read_responses(tmp_path / "answers.db").participants["visit"].tolist() == [1]


def test_a_session_begun_in_time_may_last(tmp_path: Path) -> None:
    with running(tmp_path) as (client, _, clock):
        person = Person(client)
        take_session(person)
        clock.now += 3 * DAY_S
        assert begin_next(person).status_code == 200
        person.begin()
        clock.now += 10 * DAY_S
        assert take_trials(person)["step"] == "debrief"


def take_trials(person: Person) -> dict[str, Any]:
    return person.go_through("trials", lambda _: {"rating": 1})


def test_the_first_link_goes_on_to_the_second_session_over_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    with running(tmp_path, clock=clock) as (client, *_):
        person = Person(client)
        take_session(person)
    clock.now += DAY_S
    with running(tmp_path, clock=clock) as (client, *_):
        person = Person(client, person.token)
        assert person.state()["upcoming"]["state"] == "open"
        begin_next(person)
        person.begin()
        trial = person.trials()[0]
        assert person.answer(trial, {"rating": 3}).status_code == 200
    with running(tmp_path, clock=clock) as (client, *_):
        state = Person(client, person.token).state()
        assert (state["visit"], state["step"], state["n_done"]) == (2, "trials", 1)


def test_withdrawal_deletes_all_sessions(tmp_path: Path) -> None:
    with running(tmp_path) as (client, store, clock):
        person, other = Person(client), Person(client)
        take_session(person)
        take_session(other)
        clock.now += DAY_S
        begin_next(person)
        person.begin()
        assert person.ask("POST", "/api/withdraw", {}).json()["step"] == "withdrawn"
        assert person.state()["step"] == "withdrawn"
        assert begin_next(person).json()["code"] == "withdrawn"
        left = store.read(lambda connection: connection.execute("SELECT task FROM sessions").fetchall())
        assert left == [(3,)]
        assert other.ask("POST", "/api/withdraw", {}).json()["step"] == "withdrawn", "between two sessions"
        for table in ("sessions", "answers", "events"):
            assert not store.read(lambda c, t=table: c.execute(f"SELECT 1 FROM {t}").fetchall())
        assert read_status(tmp_path / "answers.db").n_withdrawn == 2


def test_places_are_held_between_sessions_and_given_again_when_it_is_too_late(tmp_path: Path) -> None:
    with running(tmp_path, per_task=1) as (client, store, clock):
        first, second = Person(client), Person(client)
        take_session(first)
        take_session(second)
        clock.now += 2 * DAY_S  # nobody did anything for long, but both can come back
        full = client.post("/api/join", json=SCREEN)
        assert full.status_code == 410
        begin_next(first)
        clock.now += 1.5 * DAY_S  # the second came not; the first left the second session in the middle
        third, fourth = Person(client), Person(client)
        sql = "SELECT task FROM sessions ORDER BY session"
        tasks = [task for (task,) in store.read(lambda connection: connection.execute(sql).fetchall())]
        assert tasks == [1, 3, 2, 1, 3]
        assert client.post("/api/join", json=SCREEN).status_code == 410
        assert third.state()["visit"] == fourth.state()["visit"] == 1


def test_whoever_breaks_a_rule_in_one_session_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exclusion is per session; a place is filled by who breaks no rule in any."""
    changes = {**TWO, "exclusion.time_s_min": 60}
    with running(tmp_path, changes, per_task=1, fill="included") as (client, _, clock):

        def take(person: Person, seconds: float) -> Person:
            person.begin()
            clock.now += seconds
            take_trials(person)
            person.step("debrief")
            return person

        people = [take(Person(client), 0), take(Person(client), 70), take(Person(client), 70)]
        assert client.post("/api/join", json=SCREEN).status_code == 410, "the first was replaced by the third"
        clock.now += 2 * DAY_S
        for person, seconds in zip(people, (70, 70, 10), strict=True):
            begin_next(person)
            take(person, seconds)
        assert Person(client).state()["step"] == "consent", "the second session of one broke a rule"
        rows = read_responses(tmp_path / "answers.db")
        status = read_status(tmp_path / "answers.db")
    table = rows.participants
    assert table["exclusion_reasons"].tolist() == [
        "time_s_min", "", "", "", "", "time_s_min", "unfinished",
    ]  # fmt: skip
    assert len(rows.included) == 4 * 3
    assert (status.n_participants, status.n_finished, status.n_included) == (4, 3, 1)
    assert status.visits == ((4, 3, 2), (3, 3, 2))
    assert status.steps == {"consent": 1, "done": 3}
    assert status.to_tables()["sessions"][1] == {"visit": 2, "n": 3, "n_finished": 3, "n_included": 2}
    assert status.to_lines()[1] == (
        "sessions      1: 4 begun, 3 finished, 2 included; 2: 3 begun, 3 finished, 2 included"
    )
    assert "min a session, medians" in status.to_lines()[-1]
    export(db=str(tmp_path / "answers.db"), out=str(tmp_path / "out"))
    assert capsys.readouterr().out.splitlines()[0] == (
        "18 answers of 4 participants in 7 sessions; included: 12 answers of 3 participants in 4 sessions"
    )


def test_status_names_who_is_between_sessions(tmp_path: Path) -> None:
    with running(tmp_path) as (client, *_):
        take_session(Person(client))
        assert read_status(tmp_path / "answers.db").steps == {"between_sessions": 1}


def test_each_session_has_its_own_code_and_recruit(tmp_path: Path) -> None:
    with running(tmp_path, PROLIFIC) as (client, store, clock):
        person = Person(client, PROLIFIC_PID="p1", STUDY_ID="first", SESSION_ID="x")
        assert take_session(person)["code"] == "C1"
        clock.now += DAY_S
        begin_next(person, PROLIFIC_PID="p1", STUDY_ID="second", SESSION_ID="y")
        state = take_session(person)
        assert state["code"] == "C2" and state["code_url"].endswith("cc=C2")
        sql = "SELECT visit, parameters FROM sessions JOIN recruits USING (session) ORDER BY visit"
        told = {visit: json.loads(text) for visit, text in store.read(lambda c: c.execute(sql).fetchall())}
        assert {visit: each["STUDY_ID"] for visit, each in told.items()} == {1: "first", 2: "second"}


def join_as(client: TestClient, token: str | None = None, **params: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.post("/api/join", json={"recruiter_params": params, "screen": {}}, headers=headers)


@pytest.mark.parametrize("same_browser", [True, False])
def test_the_recruiters_next_study_begins_the_next_session(tmp_path: Path, same_browser: bool) -> None:
    """Each session its own study: its link leads into the session once it is open, on any device."""
    second = {"PROLIFIC_PID": "p1", "STUDY_ID": "second", "SESSION_ID": "y"}
    with running(tmp_path, PROLIFIC) as (client, store, clock):
        person = Person(client, PROLIFIC_PID="p1", STUDY_ID="first", SESSION_ID="x")
        take_session(person)
        held = person.token if same_browser else None
        early = join_as(client, held, **second).json()
        assert early["repeat"], "too early: not the way back of the first study"
        assert Person(client, early["token"]).state()["upcoming"]["state"] == "early"
        clock.now += DAY_S
        again = join_as(client, held, PROLIFIC_PID="p1", STUDY_ID="first", SESSION_ID="x")
        assert Person(client, again.json()["token"]).state()["step"] == "done", "the first study's link begins nothing"
        reply = join_as(client, held, **second)
        assert reply.status_code == 201 and not reply.json()["repeat"]
        assert (reply.json()["token"] == held) == same_browser
        here = Person(client, reply.json()["token"])
        assert (here.state()["visit"], here.state()["step"]) == (2, "consent")
        assert person.state()["visit"] == 2, "the earlier token leads there too"
        assert join_as(client, held, **second).status_code == 200, "once"
        state = take_session(here)
        assert state["code"] == "C2"
        third = join_as(client, here.token, PROLIFIC_PID="p1", STUDY_ID="third", SESSION_ID="z").json()
        assert third["repeat"]
        assert store.read(lambda c: c.execute("SELECT count(*) FROM sessions").fetchone()) == (2,)


def test_a_phone_begins_no_session(tmp_path: Path) -> None:
    with running(tmp_path, PROLIFIC) as (client, store, clock):
        take_session(Person(client, PROLIFIC_PID="p1", STUDY_ID="first", SESSION_ID="x"))
        clock.now += DAY_S
        body = {"recruiter_params": {"PROLIFIC_PID": "p1", "STUDY_ID": "second"}, "screen": {}, "begin": False}
        assert client.post("/api/join", json=body).json()["code"] == "nobody"
        assert client.post("/api/join", json={**body, "begin": True}).status_code == 201
        assert store.read(lambda c: c.execute("SELECT max(visit) FROM sessions").fetchone()) == (2,)


@pytest.mark.parametrize(("days", "visit", "step"), [(0.5, 1, "comment"), (1.5, 2, "consent")])
def test_who_answered_all_and_left_before_the_comment(tmp_path: Path, days: float, visit: int, step: str) -> None:
    """Its data are complete: the recruiter's next study begins the next one, and is none of the first."""
    with running(tmp_path, {**PROLIFIC, "comment": True}) as (client, store, clock):
        person = Person(client, PROLIFIC_PID="p1", STUDY_ID="first", SESSION_ID="x")
        person.begin()
        assert take_trials(person)["step"] == "comment"
        clock.now += days * DAY_S
        entry = join_as(client, PROLIFIC_PID="p1", STUDY_ID="second", SESSION_ID="y").json()
        assert entry["repeat"] == (visit == 1)
        state = Person(client, entry["token"]).state()
        assert (state["visit"], state["step"]) == (visit, step)
        sql = "SELECT parameters FROM sessions JOIN recruits USING (session) WHERE visit = 1"
        assert [json.loads(text)["STUDY_ID"] for (text,) in store.read(lambda c: c.execute(sql).fetchall())] == [
            "first"
        ]


def test_the_next_study_too_late(tmp_path: Path) -> None:
    with running(tmp_path, PROLIFIC) as (client, _, clock):
        take_session(Person(client, PROLIFIC_PID="p1", STUDY_ID="first", SESSION_ID="x"))
        clock.now += 4 * DAY_S
        entry = join_as(client, PROLIFIC_PID="p1", STUDY_ID="second", SESSION_ID="y").json()
        assert entry["repeat"] and Person(client, entry["token"]).state()["upcoming"]["state"] == "closed"


@pytest.mark.parametrize("params", [{}, {"PROLIFIC_PID": "somebody else", "STUDY_ID": "second"}])
def test_a_session_by_another_link_is_the_same_persons(tmp_path: Path, params: dict[str, str]) -> None:
    """Opened by the return link, or pasted under another's: who it is follows from the token alone."""
    with running(tmp_path, PROLIFIC) as (client, store, clock):
        person = Person(client, PROLIFIC_PID="p1", STUDY_ID="first", SESSION_ID="x")
        take_session(person)
        clock.now += DAY_S
        begin_next(person, **params)
        sql = "SELECT parameters FROM recruits ORDER BY recruit DESC LIMIT 1"
        assert json.loads(store.read(lambda c: c.execute(sql).fetchone())[0]) == {"PROLIFIC_PID": "p1"}
        assert len({name for (name,) in store.read(lambda c: c.execute("SELECT participant FROM sessions"))}) == 1


def test_sessions_are_drawn_apart(tmp_path: Path) -> None:
    """Repeated trials lie elsewhere in the second session; the first one is that of an experiment with one."""
    changes = {**TWO, "sessions.deal": "repeat"}
    write_folder(tmp_path / "built", "odd_one_out", n_tasks=2, n_trials=12, n_catch=0, changes=changes)
    with running(tmp_path) as (client, store, clock):
        person = Person(client)
        person.begin()
        person.go_through("trials", lambda _: {"choice": 0})
        clock.now += DAY_S
        begin_next(person)
        drawn = [
            json.loads(text)["main"]
            for (text,) in store.read(lambda c: c.execute("SELECT presentation FROM sessions").fetchall())
        ]
    assert drawn[0] != drawn[1]
    assert [n for n, _ in drawn[0]] != [n for n, _ in drawn[1]]


def test_columns_are_those_of_before_where_there_is_one_session(tmp_path: Path) -> None:
    write_folder(tmp_path / "one", "similarity", n_tasks=1, changes=NO_PRACTICE)
    simulate_participants(tmp_path / "one", tmp_path / "one.db", 1)
    made = export_responses(tmp_path / "one.db", tmp_path / "out").responses
    assert not {"visit", "days_since_last"} & {*made.trials, *made.participants}
    assert "visit" not in (tmp_path / "out" / "columns.json").read_text()


def test_simulated_people_come_back(tmp_path: Path) -> None:
    write_folder(tmp_path / "built", "similarity", n_tasks=6, n_trials=2, n_catch=1, changes={
        **TWO, "sessions.n": 3, "sessions.days_max": 1.25,
    })  # fmt: skip
    made = simulate_participants(tmp_path / "built", tmp_path / "s.db", 2, "ideal")
    assert [(each.end, each.n_sessions, each.n_answers) for each in made.outcomes] == [("done", 3, 9)] * 2
    assert all(each.seconds < DAY_S for each in made.outcomes), "days between are no time of the experiment"
    again = simulate_participants(tmp_path / "built", tmp_path / "s.db", 3, "ideal")
    assert (again.n_before, len(again.outcomes), again.outcomes[0].participant) == (2, 1, 3)
    rows: Any = export_responses(tmp_path / "s.db", tmp_path / "out").responses.participants
    assert rows["visit"].tolist() == [1, 2, 3] * 3
    assert rows["task"].tolist() == [1, 2, 3, 4, 5, 6, 1, 2, 3]
    assert rows["days_since_last"].dropna().between(1, 1.25).all()
    assert not rows["excluded"].any()
    described = json.loads((tmp_path / "out" / "columns.json").read_text())
    assert [each["name"] for each in described["participants"]] == list(rows)
    assert [each["name"] for each in described["responses"]][:4] == ["participant", "session", "visit", "task"]
