"""The whole course over HTTP: every kind of task, going on after a reload, practice, recruiters, tasks dealt evenly."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.event_loops import run_apart
from tests.experiment_folders import QUICK, write_folder

from beholder._core.errors import ConfigurationChanged, InputError, OutputBusy
from beholder.experiments import (
    KINDS,
    Experiment,
    create_app,
    draw_presentation,
    open_server,
    open_store,
    read_experiment,
    serve,
)
from beholder.experiments.server._clock import SteadyClock, find_last_time
from beholder.responses import ResponseStore, read_responses

from .person import BASE, RESPONSES, Clock, Person, make_ideal, serving

NO_PRACTICE = {"practice.n_with_feedback": 0, "practice.n_obvious": 0, "practice.n_required": 0}
UPPER = {"choice": "upper", "confidence": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_course(kind: str, tmp_path: Path) -> None:
    experiment = write_folder(tmp_path / "built", kind)
    with serving(tmp_path / "built", tmp_path / "answers.db") as (client, _):
        person = Person(client)
        assert person.state()["step"] == "consent"
        assert person.begin()["step"] == "practice"
        ideal = make_ideal(client, experiment)
        assert person.go_through("practice", ideal)["step"] == "trials"
        state = person.go_through("trials", ideal)
        assert (state["step"], state["n_done"], state["n_trials"]) == ("comment", 8, 8)
        assert "code" not in state
        assert person.step("comment", text="fine").json()["step"] == "debrief"
        state = person.step("debrief").json()
        assert state["step"] == "done" and state["code"] is None
        table: Any = read_responses(tmp_path / "answers.db").trials
    assert len(table) == 8 and table["trial"].tolist() == list(range(1, 9))
    assert sorted(table["n"].tolist()) == list(range(1, 9))
    if kind != "similarity":
        assert table["correct"].all()
        assert table["choice"].tolist() == table["correct_answer"].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_scores_follow_what_was_shown(kind: str, tmp_path: Path) -> None:
    """Buttons pressed blindly; the table says right exactly where the pressed place showed the right slot."""
    experiment = write_folder(tmp_path / "b", kind, n_trials=12, changes={"practice.n_required": 0})
    options = RESPONSES[kind]
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        for k in range(2):
            person = Person(client)
            person.begin()
            person.go_through("practice", lambda trial, k=k: options[(trial["n"] + k) % len(options)])
            person.go_through("trials", lambda trial, k=k: options[(trial["n"] * 7 + k) % len(options)])
        table = read_responses(tmp_path / "a.db").trials
    row: Any
    for row in table.itertuples():
        shown = json.loads(row.shown)
        key = experiment.get_task(row.task).trials[row.n - 1]
        if kind in ("2afc", "counterfactual"):
            assert row.choice == shown[row.response]
            pressed = options[(row.trial * 7 + row.session - 1) % len(options)]
            assert (row.response, row.confidence) == (pressed["choice"], pressed["confidence"])
        elif kind == "odd_one_out":
            assert row.choice == shown["items"][int(row.response)]
        else:
            assert row.choice == row.response
        if key.correct is not None:
            assert row.correct == (row.choice == key.correct)
    if kind in ("2afc", "counterfactual", "odd_one_out"):
        assert 0 < table["correct"].sum() < len(table)


def test_a_reload_goes_on_at_the_next_trial_also_after_a_restart(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", changes=NO_PRACTICE)
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        person = Person(client)
        assert person.begin()["step"] == "trials"
        first = person.trials()
        for trial in first[:3]:
            assert person.answer(trial, UPPER).status_code == 200
        again = Person(client, person.token)
        assert again.state()["n_done"] == 3
        assert again.trials() == first[3:]
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        after = Person(client, person.token)
        assert after.state()["n_done"] == 3 and after.state()["step"] == "trials"
        assert after.trials() == first[3:] and after.trials("?from=1&count=3") == first[:3]
        reply = after.answer(first[2], UPPER)
        assert reply.status_code == 200 and reply.json()["saved"]
        assert after.answer(first[2], {"choice": "lower", "confidence": 1}).status_code == 409


def test_the_same_answer_again_is_acknowledged_again_another_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "b")
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, store):
        person = Person(client)
        person.begin()
        trial = person.trials()[0]
        first, again = person.answer(trial, UPPER), person.answer(trial, UPPER)
        assert first.status_code == again.status_code == 200 and first.content == again.content
        for other in ({"response": {"choice": "lower", "confidence": 1}}, {"rt_ms": 1.0}, {"shown_at": 6}):
            reply = person.answer(trial, **({"response": UPPER} | other))  # pyright: ignore[reportArgumentType]
            assert reply.status_code == 409 and reply.json()["code"] == "conflict"
        rows = store.read(lambda connection: connection.execute("SELECT count(*) FROM practice").fetchone())
        assert rows == (1,)


def test_two_tabs_do_not_double(tmp_path: Path) -> None:
    """Each tab sends its own answer to the same trial: one counts, the other tab is told to look again."""
    write_folder(tmp_path / "b", changes=NO_PRACTICE)
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, store):
        one = Person(client)
        one.begin()
        two = Person(client, one.token)
        left, right = one.trials(), two.trials()
        assert left == right
        for k, trial in enumerate(left):
            replies = [
                tab.answer(trial, UPPER, 1000.0 + n).status_code for n, tab in enumerate((one, two)[:: (-1) ** k])
            ]
            assert replies == [200, 409]
        assert one.state()["n_done"] == two.state()["n_done"] == 8
        assert one.state()["step"] == two.state()["step"] == "comment"
        count = store.read(lambda connection: connection.execute("SELECT count(*) FROM answers").fetchone())
        assert count == (8,)


def test_a_step_is_ended_once_whoever_holds_an_old_state(tmp_path: Path) -> None:
    """A position that fell out of memory while a request waited must not write over what came since."""
    from beholder.experiments.server._participants import ParticipantBook
    from beholder.experiments.server._security import Refusal

    experiment = write_folder(tmp_path / "b", changes=NO_PRACTICE)
    with open_store(experiment, tmp_path / "a.db") as store:
        book = ParticipantBook(experiment, store, Clock(), 60.0, None)

        async def go() -> None:
            token: Any = (await book.join({}, {})).token
            old = book.find(token)
            assert old is not None
            book._drop(old)
            new = book.find(token)
            assert new is not None and new is not old
            await book.step(new, "consent", {"version": "1", "agreed": True})
            with pytest.raises(Refusal):
                await book.step(old, "consent", {"version": "1", "agreed": False})
            again = book.find(token)
            assert again is not None and again.step == "instructions"

        run_apart(go())


def test_many_windows_at_once_save_one_answer(tmp_path: Path) -> None:
    """Eight answers to one trial at the same moment, over sockets: one is kept and acknowledged, seven are refused."""
    experiment = write_folder(tmp_path / "b", changes=NO_PRACTICE)
    with (
        open_store(experiment, tmp_path / "a.db") as store,
        open_server(experiment, store, limits=None) as server,
        TestClient(create_app(experiment, store), "http://127.0.0.1") as client,
    ):
        person = Person(client)
        person.begin()
        trials = person.trials()

        def send(number: int, rt_ms: float) -> int:
            body = {"response": UPPER, "rt_ms": rt_ms, "shown_at": 1}
            request = urllib.request.Request(
                f"{server.url}/api/trials/{trials[number]['id']}", json.dumps(body).encode(), method="PUT",
                headers={"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"},
            )  # fmt: skip
            try:
                with urllib.request.urlopen(request, timeout=20) as reply:
                    return reply.status
            except urllib.error.HTTPError as error:
                return error.code

        with ThreadPoolExecutor(8) as pool:
            for number in range(3):
                statuses = list(pool.map(lambda k, number=number: send(number, 1000.0 + k), range(8)))
                assert sorted(statuses) == [200] + [409] * 7
                same = list(pool.map(lambda _, number=number: send(number + 3, 500.0), range(8)))
                assert same == [409] * 8  # not the next one
        count = store.read(lambda connection: connection.execute("SELECT count(*) FROM answers").fetchone())
        assert count == (3,)


def test_order_cannot_be_forged(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", changes=NO_PRACTICE)
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        person, other = Person(client), Person(client)
        reply = person.ask("GET", "/api/trials")
        assert reply.status_code == 409 and reply.json()["code"] == "step"
        for step, data in (("checks", {}), ("comment", {}), ("debrief", {}), ("instructions", {})):
            assert person.step(step, **data).status_code == 409
        for name in ("trials", "practice", "done", ""):
            assert person.step(name).status_code == 422
        person.begin(), other.begin()  # pyright: ignore[reportUnusedExpression]
        assert person.step("consent", version="1", agreed=True).status_code == 409
        trials, others = person.trials(), other.trials()
        reply = person.answer(trials[1], UPPER)
        assert reply.status_code == 409 and reply.json()["code"] == "order"
        assert person.answer(others[0], UPPER).status_code == 404
        assert person.answer({"id": "A" * 36}, UPPER).status_code == 404
        assert person.answer({"id": trials[0]["stimuli"]["upper"][3:]}, UPPER).status_code == 404
        assert person.state()["n_done"] == 0
        person.go_through("trials", lambda trial: UPPER)
        assert person.step("debrief").status_code == 409
        assert person.ask("GET", "/api/trials").status_code == 409


def test_practice_is_repeated_until_passed_and_bounded(tmp_path: Path) -> None:
    """Published two-alternative choice: five trials with feedback, all right or all again."""
    changes = {"practice.max_blocks": 3, "screen_out_code": "SCREENED"}
    experiment = write_folder(tmp_path / "b", changes=changes)
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        ideal = make_ideal(client, experiment)

        def fail(trial: dict[str, Any]) -> Any:
            right = ideal(trial)
            return (
                right | {"choice": {"upper": "lower", "lower": "upper"}[right["choice"]]} if trial["n"] == 5 else right
            )

        person = Person(client)
        state = person.begin()
        orders = []
        for block in (1, 2):
            assert state["practice"] == {
                "block": block, "n_blocks_left": 3 - block, "n_trials": 5, "n_done": 0, "with_feedback": True,
            }  # fmt: skip
            trials = person.trials()
            orders.append([client.get(trial["stimuli"]["upper"]).content for trial in trials])
            assert [trial["timing"]["feedback"] for trial in trials] == [True] * 5
            told = [person.answer(trial, fail(trial)).json()["feedback"]["correct"] for trial in trials]
            assert told == [True] * 4 + [False]
            state = person.state()
        assert state["practice"]["block"] == 3
        assert person.go_through("practice", ideal)["step"] == "trials"
        unlucky = Person(client)
        unlucky.begin()
        state = unlucky.go_through("practice", fail)
        assert state["step"] == "screened_out" and state["code"] == "SCREENED"
        assert unlucky.ask("GET", "/api/trials").status_code == 409
        people = read_responses(tmp_path / "a.db").participants
    assert people["practice_blocks"].tolist() == [3, 3]
    assert people["step"].tolist() == ["trials", "screened_out"]


def test_practice_without_feedback_tells_nothing(tmp_path: Path) -> None:
    """Recognition as published: 16 with feedback, then 12 without, of which 7 must be right."""
    experiment = write_folder(tmp_path / "b", "recognition")
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        ideal = make_ideal(client, experiment)
        trials = person.trials()
        assert len(trials) == 28
        for trial in trials:
            assert ("feedback" in person.answer(trial, ideal(trial)).json()) == (trial["n"] <= 16)
        slow = {"fixation_ms": 500, "stimulus_ms": 400, "mask_ms": 400}
        normal = {"fixation_ms": 300, "stimulus_ms": 300, "mask_ms": 300}
        for trial in trials:
            assert (slow if trial["n"] <= 8 else normal).items() <= trial["timing"].items()
        main = person.trials()
        assert all(normal.items() <= trial["timing"].items() for trial in main)
        assert person.answer(main[0], ideal(main[0])).json() == {"saved": True}


def test_later_blocks_can_be_the_next_trials_of_the_plan(tmp_path: Path) -> None:
    made = write_folder(tmp_path / "b", changes={"practice.n_with_feedback": 8, "practice.n_required": 5})
    fewer = {"practice.n_with_feedback": 4, "practice.n_required": 4, "practice.max_blocks": 3}
    settings = made.settings.replace({**fewer, "practice.repeat_block": False})
    experiment = Experiment(made.path, made.kind, settings, made.tasks, made.practice)
    blocks = draw_presentation(experiment, experiment.tasks[0], 3)["practice"]
    assert [sorted(n for n, _ in block) for block in blocks] == [[1, 2, 3, 4], [5, 6, 7, 8], [1, 2, 3, 4]]


def test_no_consent_and_no_headphones(tmp_path: Path) -> None:
    codes = {"no_consent_code": "NO", "screen_out_code": "SCREENED", "recruiter": "prolific"}
    write_folder(tmp_path / "b", "words", changes=codes)
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        person = Person(client, PROLIFIC_PID="a")
        state = person.step("consent", version="1", agreed=False).json()
        assert (state["step"], state["code"]) == ("declined", "NO")
        assert state["code_url"] == "https://app.prolific.com/submissions/complete?cc=NO"
        person = Person(client, PROLIFIC_PID="b")
        assert person.step("consent", version="0", agreed=True).status_code == 409
        person.step("consent", version="1", agreed=True), person.step("instructions")  # pyright: ignore[reportUnusedExpression]
        assert person.step("checks").status_code == 422
        forged = {"n": 6, "n_correct": 6, "answers": [0, 1, 2, 0, 1, 2], "correct": [1, 1, 1, 1, 1, 1]}
        state = person.step("checks", headphones=forged).json()
        assert (state["step"], state["code"]) == ("screened_out", "SCREENED")


def test_prolific(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", changes={**NO_PRACTICE, "recruiter": "prolific", "completion_code": "C 1"})
    link = {"PROLIFIC_PID": "5f3c", "STUDY_ID": "s", "SESSION_ID": "t", "utm": "x"}
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, store):
        refused = client.post("/api/join", json={"recruiter_params": {"STUDY_ID": "s"}})
        assert refused.status_code == 422 and "Prolific" in refused.json()["error"]
        person = Person(client, **link)
        again = client.post("/api/join", json={"recruiter_params": link})
        assert again.status_code == 200 and Person(client, again.json()["token"]).state() == person.state()
        person.begin()
        person.go_through("trials", lambda trial: UPPER)
        person.step("comment")
        state = person.step("debrief").json()
        assert state["code_url"] == "https://app.prolific.com/submissions/complete?cc=C%201" and state["code"] == "C 1"
        kept = store.read(
            lambda connection: connection.execute("SELECT recruiter, parameters FROM recruits").fetchall()
        )
        assert kept == [("prolific", '{"PROLIFIC_PID":"5f3c","SESSION_ID":"t","STUDY_ID":"s"}')]
        name = read_responses(store.path).participants["participant"][0]
        assert "5f3c" not in name and len(name) == 17


@pytest.mark.parametrize(
    "site, url",
    [
        ("https://www.mturk.com", "https://www.mturk.com/mturk/externalSubmit"),
        ("https://workersandbox.mturk.com", "https://workersandbox.mturk.com/mturk/externalSubmit"),
        ("https://evil.example", None),
        ("https://www.mturk.com.evil.example", None),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_mturk(site: str, url: str | None, tmp_path: Path) -> None:
    """The form goes to MTurk's own sites only."""
    write_folder(tmp_path / "b", changes={**NO_PRACTICE, "recruiter": "mturk", "completion_code": "C1"})
    link = {"workerId": "W", "assignmentId": "A", "hitId": "H", "turkSubmitTo": site}
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        preview = client.post(
            "/api/join", json={"recruiter_params": link | {"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE"}}
        )
        assert preview.status_code == 409 and preview.json()["code"] == "preview"
        person = Person(client, **link)
        person.begin()
        person.go_through("trials", lambda trial: UPPER)
        person.step("comment")
        submit = person.step("debrief").json()["submit"]
        assert submit == (None if url is None else {"url": url, "fields": {"assignmentId": "A", "code": "C1"}})


def test_tasks_are_dealt_to_whom_they_lack(tmp_path: Path) -> None:
    """Running and finished ones count; who left gives the task back after the stated time."""
    write_folder(tmp_path / "b", n_tasks=3, n_trials=1, n_catch=1, changes=NO_PRACTICE)
    clock = Clock()
    options: dict[str, Any] = {"clock": clock, "release_after_s": 600.0, "per_task": 2}
    with serving(tmp_path / "b", tmp_path / "a.db", **options) as (client, store):

        def count() -> list[int]:
            tasks: Any = read_responses(store.path).participants["task"]
            return [int((tasks == k).sum()) for k in (1, 2, 3)]

        people = [Person(client) for _ in range(3)]
        assert count() == [1, 1, 1]
        people[1].begin()
        people[1].go_through("trials", lambda trial: UPPER)
        people[0].step("consent", version="1", agreed=False)
        Person(client)
        assert count() == [2, 1, 1]
        for _ in range(2):
            Person(client)
        assert count() == [3, 2, 1]  # the one who declined does not count
        Person(client)
        assert count() == [3, 2, 2]
        full = client.post("/api/join", json={"recruiter_params": {}})
        assert full.status_code == 410 and full.json()["code"] == "full"
        clock.now += 601
        for _ in range(5):
            Person(client)
        assert count() == [5, 3, 4]  # 2 each, of task 2 one by the one who is through
        assert client.post("/api/join", json={"recruiter_params": {}}).status_code == 410
        assert people[2].begin()["step"] == "trials"  # who comes back goes on


def test_places_of_excluded_people_are_filled_again(tmp_path: Path) -> None:
    """By default who is through has taken a place, whatever the rules say of the answers."""
    others = ("time_s_min", "time_s_max", "instructions_s_min", "row_choices_min", "practice_blocks_max")
    changes = {**NO_PRACTICE, "exclusion.catch_ratio_min": 1.0, **{f"exclusion.{name}": None for name in others}}
    write_folder(tmp_path / "b", n_tasks=1, n_trials=2, n_catch=1, changes=changes)
    experiment = read_experiment(tmp_path / "b")

    def try_three(fill: str) -> list[bool]:
        """Two who miss the catch trial, one who does not, then one more."""
        options: dict[str, Any] = {"clock": Clock(), "per_task": 1, "fill": fill}
        let_in = []
        with serving(tmp_path / "b", tmp_path / f"{fill}.db", **options) as (client, _):
            ideal = make_ideal(client, experiment)

            def fail(trial: dict[str, Any]) -> Any:
                right = ideal(trial)
                return right | {"choice": "lower" if right["choice"] == "upper" else "upper"}

            for choose in (fail, fail, ideal, ideal):
                if client.post("/api/join", json={"recruiter_params": {}}).status_code != 201:
                    let_in.append(False)
                    continue
                let_in.append(True)
                clock = options["clock"]
                clock.now += 3 * 3600  # the one who only asked is gone
                person = Person(client)
                person.begin()
                person.go_through("trials", choose)
                clock.now += 3 * 3600
        return let_in

    assert try_three("finished") == [True, False, False, False]
    assert try_three("included") == [True, True, True, False]
    with open_store(experiment, tmp_path / "c.db") as store, pytest.raises(InputError, match="finished"):
        create_app(experiment, store, fill="everybody")


def test_a_second_server_through_a_link_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", changes=NO_PRACTICE)
    experiment = read_experiment(tmp_path / "b")
    with open_store(experiment, tmp_path / "a.db"):
        (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
        with pytest.raises(OutputBusy):
            open_store(experiment, tmp_path / "link.db")


def test_times_never_run_backwards(tmp_path: Path) -> None:
    """The machine's clock is set back by an hour while somebody takes part, and once more before a new start."""
    write_folder(tmp_path / "b", changes=NO_PRACTICE)
    wall, passed = [10_000.0], [0.0]

    def make_clock(store: ResponseStore) -> SteadyClock:
        return SteadyClock(find_last_time(store), lambda: wall[0], lambda: passed[0])

    experiment = read_experiment(tmp_path / "b")
    with open_store(experiment, tmp_path / "a.db") as store:
        app = create_app(experiment, store, clock=make_clock(store), limits=None)
        with TestClient(app, BASE) as client:
            person = Person(client)
            passed[0] += 5
            person.step("consent", version="1", agreed=True)
            wall[0] -= 3600
            passed[0] += 5
            person.step("instructions", total_ms=9)
            person.step("checks")
    with open_store(experiment, tmp_path / "a.db") as store:
        app = create_app(experiment, store, clock=make_clock(store), limits=None)
        with TestClient(app, BASE) as client:
            again = Person(client, person.token)
            for trial in again.trials():
                passed[0] += 3
                again.answer(trial, UPPER)
        table = read_responses(store.path)
    assert table.participants["instructions_s"].tolist() == [5.0]
    assert table.participants["time_s"].tolist() == [10.0 + 3 * len(table.trials)]
    assert table.trials["answered_s"].is_monotonic_increasing


def test_times_are_the_servers(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", changes=NO_PRACTICE)
    clock = Clock()
    with serving(tmp_path / "b", tmp_path / "a.db", clock=clock) as (client, store):
        person = Person(client)
        clock.now += 10
        person.step("consent", version="1", agreed=True)
        clock.now += 20
        person.step("instructions", total_ms=99_999)
        person.step("checks")
        for trial in person.trials():
            clock.now += 30
            person.answer(trial, UPPER)
        clock.now += 1000
        person.step("comment")
        row = read_responses(store.path).participants.iloc[0]
    assert (row["time_s"], row["instructions_s"]) == (10 + 20 + 8 * 30, 20.0)


def test_adaptive_levels_follow_the_answers(tmp_path: Path) -> None:
    """One up, two down over four levels: the trial after next is not told before the next is answered."""
    adaptive = {"method": "up_down", "up": 1, "down": 2, "start": 1.0}
    changes = {"adaptive": adaptive, "practice.n_with_feedback": 0, "practice.n_obvious": 0, "practice.n_required": 0}
    experiment = write_folder(
        tmp_path / "b", "same_different", n_trials=12, n_catch=0, changes=changes, levels=(0.1, 0.2, 0.4, 0.8)
    )
    right = [True, True, True, True, False, True, True, False, False, False, True, True]
    expected = [0.8, 0.8, 0.4, 0.4, 0.2, 0.4, 0.4, 0.2, 0.4, 0.8, 0.8, 0.8]
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, store):
        person = Person(client)
        person.begin()
        ideal = make_ideal(client, experiment)
        for k, is_right in enumerate(right):
            if k == 6:
                person = Person(client, person.token)
            (trial,) = person.trials()
            choice = ideal(trial)["choice"]
            other = {"same": "different", "different": "same"}[choice]
            assert person.answer(trial, {"choice": choice if is_right else other}).status_code == 200
        table = read_responses(store.path).trials
    assert table["level"].tolist() == expected
    assert table["correct"].tolist() == right


def test_a_full_disk_is_told_and_the_answer_sent_again_is_kept(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", changes=NO_PRACTICE)
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, store):
        person = Person(client)
        person.begin()
        trial = person.trials()[0]

        def shrink(connection: sqlite3.Connection) -> None:
            connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")

        store.write(shrink)
        wide = {f"m{k}": 123456.789 for k in range(32)}
        replies = []
        for row in person.trials():
            replies.append(person.answer(row, UPPER, frames=wide, audio=wide, window=wide))
            if replies[-1].status_code != 200:
                break
        assert replies[-1].status_code == 503 and replies[-1].json()["code"] == "not_saved"
        assert int(replies[-1].headers["retry-after"]) >= 1
        n_done = person.state()["n_done"]
        assert n_done == len(replies) - 1
        store.write(lambda connection: connection.execute("PRAGMA max_page_count = 1073741823").fetchall())
        assert person.answer(row, UPPER, frames=wide, audio=wide, window=wide).status_code == 200  # pyright: ignore[reportPossiblyUnboundVariable]
        assert person.state()["n_done"] == n_done + 1 and trial["n"] == 1


def test_a_changed_folder_is_refused_and_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "b")
    open_store(read_experiment(tmp_path / "b"), tmp_path / "a.db").close()
    picture = tmp_path / "b" / "task_2" / "trials" / "trial_3" / "queries" / "max.png"
    content = picture.read_bytes()
    picture.write_bytes(content + b"more")
    with pytest.raises(ConfigurationChanged, match=r"tasks.task_2 was .*another db"):
        open_store(read_experiment(tmp_path / "b"), tmp_path / "a.db")
    picture.write_bytes(content)
    open_store(read_experiment(tmp_path / "b"), tmp_path / "a.db").close()
    write_folder(tmp_path / "b", changes={"disabled_ms": 700})
    with pytest.raises(ConfigurationChanged, match=r"settings.disabled_ms was 0, now 700"):
        open_store(read_experiment(tmp_path / "b"), tmp_path / "a.db")


def test_what_cannot_be_served_to_its_end_is_refused(tmp_path: Path) -> None:
    experiment = write_folder(tmp_path / "b", "same_different", levels=(0.1, 0.2))
    with pytest.raises(InputError, match="adaptive"):
        open_store(experiment, tmp_path / "a.db")
    (tmp_path / "c").mkdir()
    experiment = write_folder(tmp_path / "c")
    about = json.loads((tmp_path / "c" / "experiment.json").read_text())
    about["settings"]["practice"]["n_with_feedback"] = 9
    (tmp_path / "c" / "experiment.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="9 practice trials"):
        open_store(read_experiment(tmp_path / "c"), tmp_path / "a.db")
    assert not (tmp_path / "a.db").exists()


def test_a_simulation_with_a_seed_gives_the_same_file(tmp_path: Path) -> None:
    experiment = write_folder(tmp_path / "b", changes=NO_PRACTICE)
    tables = []
    for name in ("a.db", "c.db"):
        rng = random.Random(3)
        with open_store(experiment, tmp_path / name, entropy=rng.randbytes) as store:
            app = create_app(experiment, store, clock=Clock(), limits=None, entropy=rng.randbytes)
            person = Person(TestClient(app, "http://127.0.0.1"))
            person.begin()
            person.go_through("trials", lambda trial: UPPER)
            tables.append(read_responses(store.path).trials)
    assert tables[0].equals(tables[1])


def test_a_server_in_a_thread(tmp_path: Path) -> None:
    experiment = write_folder(tmp_path / "b", changes=QUICK)
    with open_store(experiment, tmp_path / "a.db") as store, open_server(experiment, store) as server:
        with urllib.request.urlopen(server.url, timeout=10) as reply:
            assert reply.status == 200 and reply.headers["content-type"].startswith("text/html")
            assert "server" not in reply.headers
        busy = int(server.url.rpartition(":")[2])
        with pytest.raises(InputError, match="another port"), open_server(experiment, store, port=busy):
            pass


def test_a_notebook_serves_until_it_is_stopped(tmp_path: Path) -> None:
    """Its event loop runs in the thread that the cell runs in."""
    seen: list[int] = []

    def look_and_stop(url: str) -> None:
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                seen.append(reply.status)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    experiment, loop = write_folder(tmp_path / "b", changes=QUICK), asyncio.new_event_loop()
    before = signal.signal(signal.SIGINT, signal.default_int_handler), asyncio._get_running_loop()
    asyncio._set_running_loop(loop)
    try:
        with open_store(experiment, tmp_path / "a.db") as store, ThreadPoolExecutor(1) as pool:

            def look(url: str) -> None:
                pool.submit(look_and_stop, url)

            serve(experiment, store, port=0, on_start=look)
    finally:
        asyncio._set_running_loop(before[1])
        signal.signal(signal.SIGINT, before[0])
        loop.close()
    assert seen == [200]


def test_small_answers_are_sent_at_once() -> None:
    """asyncio switches Nagle's waiting off for sockets that say that they are TCP; else each answer takes 40 ms."""
    from beholder.experiments.server._server import _listen

    with contextlib.closing(_listen("127.0.0.1", 0)) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_presentation_is_drawn_for_each_session(tmp_path: Path) -> None:
    """Sides and orders differ between sessions of one task, and are fair."""
    experiment = write_folder(tmp_path / "b", n_tasks=1, n_trials=40, changes={**NO_PRACTICE, "shuffle_trials": True})
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, store):
        for _ in range(30):
            Person(client)
            rows = store.read(lambda connection: connection.execute("SELECT presentation FROM sessions").fetchall())
    shown = [json.loads(text)["main"] for (text,) in rows]  # pyright: ignore[reportPossiblyUnboundVariable]
    assert len({json.dumps(each) for each in shown}) == 30
    upper = collections.Counter(places["upper"] for each in shown for _, places in each)
    assert abs(upper["query_max"] - upper["query_min"]) < 4 * sum(upper.values()) ** 0.5
    for each in shown:
        assert sorted(n for n, _ in each) == list(range(1, 43))
        for _, places in each:
            assert places["left"][0] == "reference_min_8" and places["right"][0] == "reference_max_8"
            assert sorted(places["left"]) == [f"reference_min_{k}" for k in range(9)]
    assert experiment.kind == "2afc"
